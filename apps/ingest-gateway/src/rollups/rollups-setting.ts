import { text } from '@millrace/service'
import { z } from 'zod'
import type { RollupDefinition } from './rollup-plan.js'

/** The value statistics that every installation keeps unless ROLLUPS says otherwise. */
const defaultRollups: readonly RollupDefinition[] = [
  'properties.value',
  'properties.revenue',
  'properties.duration_ms',
].map((property) => ({
  event: '*',
  dimensions: [],
  property,
}))

const path = z
  .string()
  .regex(/^(properties|context)(\.[^.]{1,100}){1,5}$/, 'a path begins with properties. or context.')
const definitions = z.array(
  z.strictObject({
    event: z.string().min(1).max(255).default('*'),
    dimensions: z.array(path).max(3).default([]),
    property: path.nullable().default(null),
  }),
)

/** The setting as text; `parseRollups` reads it. */
export const rollupsSetting = text({
  default: JSON.stringify(defaultRollups),
  description:
    'aggregates to keep while streaming, a JSON list of {event, dimensions, property}; event * is every event, 3 dimensions at most',
})

/** Throws an error with a sentence for people when the setting is no list of definitions. */
export function parseRollups(setting: string): RollupDefinition[] {
  let value: unknown
  try {
    value = JSON.parse(setting)
  } catch (cause) {
    throw new Error('ROLLUPS is not JSON', { cause })
  }
  const parsed = definitions.safeParse(value)
  if (!parsed.success) throw new Error(`ROLLUPS: ${z.prettifyError(parsed.error)}`)
  return parsed.data.filter(
    ({ event, dimensions, property }) => event !== '*' || dimensions.length > 0 || property !== null,
  )
}
