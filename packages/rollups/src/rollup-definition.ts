import { z } from 'zod'
import { formatKeyPath, parseKeyPath } from './key-path.js'

/** The event name of a definition that aggregates all events together. */
export const ALL_EVENTS = '*'

/**
 * What is aggregated besides the count and the users of each event name: the events named `event`, one series for
 * each combination of the values of up to three `dimensions`, and the numbers of `property`, or counts and users when
 * it is null. Dimensions and property are paths below `properties` or `context`, in the canonical text of
 * `formatKeyPath`.
 */
export interface RollupDefinition {
  readonly event: string
  readonly dimensions: readonly string[]
  readonly property: string | null
}

/** The definitions of an installation that sets none: the numbers that most events carry. */
export const DEFAULT_ROLLUP_DEFINITIONS: readonly RollupDefinition[] = [
  'properties.value',
  'properties.revenue',
  'properties.duration_ms',
].map((property) => ({ event: ALL_EVENTS, dimensions: [], property }))

const DIMENSIONS_MAX = 3

const KEYS_MAX = 5
const KEY_LENGTH_MAX = 100

/** A path in its canonical text, or the reason why it is not one for rollups. */
function readPath(text: string): { readonly path: string } | string {
  const parsed = parseKeyPath(text)
  if (typeof parsed === 'string') return `"${text}" is not a path: ${parsed}`
  if (parsed.root !== 'properties' && parsed.root !== 'context') return 'a path begins with properties. or context.'
  if (parsed.keys.length > KEYS_MAX) return `a path has at most ${KEYS_MAX} keys`
  if (parsed.keys.some(({ length }) => length > KEY_LENGTH_MAX)) return `a key has at most ${KEY_LENGTH_MAX} characters`
  return { path: formatKeyPath(parsed) }
}

/** Whether a rollup definition may name a path. */
export function isRollupPath(path: string): boolean {
  return typeof readPath(path) !== 'string'
}

const path = z.string().transform((text, { addIssue }) => {
  const read = readPath(text)
  if (typeof read !== 'string') return read.path
  addIssue({ code: 'custom', message: read })
  return z.NEVER
})
const definitions = z.array(
  z.strictObject({
    event: z.string().min(1).max(255).default(ALL_EVENTS),
    dimensions: z.array(path).max(DIMENSIONS_MAX).default([]),
    property: path.nullable().default(null),
  }),
)

/**
 * The definitions of the setting ROLLUPS, a JSON list. One without dimensions and property for all events is left
 * out: it would only count events, which the series of each event name already do.
 * @throws Error with a sentence for operators when the text is not such a list.
 */
export function parseRollupDefinitions(setting: string): RollupDefinition[] {
  let value: unknown
  try {
    value = JSON.parse(setting)
  } catch (cause) {
    throw new Error('ROLLUPS is not JSON', { cause })
  }
  const parsed = definitions.safeParse(value)
  if (!parsed.success) throw new Error(`ROLLUPS: ${z.prettifyError(parsed.error)}`)
  return parsed.data.filter(
    ({ event, dimensions, property }) => event !== ALL_EVENTS || dimensions.length > 0 || property !== null,
  )
}
