import { z } from 'zod'

/** The event name of a definition that aggregates all events together. */
export const ALL_EVENTS = '*'

/**
 * What is aggregated besides the count and the users of each event name: the events named `event`, one series for
 * each combination of the values of up to three `dimensions`, and the numbers of `property`, or counts and users when
 * it is null. Dimensions and property are paths that begin with `properties.` or `context.`.
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

const path = z
  .string()
  .regex(/^(properties|context)(\.[^.]{1,100}){1,5}$/, 'a path begins with properties. or context.')
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
