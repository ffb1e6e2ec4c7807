import { z } from 'zod'
import { type Setting, type SettingFacts, settingFacts } from './settings.js'

/** The settings of a service by name. */
export type ConfigShape = Readonly<Record<string, Setting<unknown>>>

/** Settings in milliseconds that are older than the rule for names. */
const NAMES_WITHOUT_UNIT = new Set([
  'DATABASE_TIMEOUT',
  'DATABASE_REPLICA_LAG_MAX',
  'REPORT_REFRESH_INTERVAL',
  'REPORT_REFRESH_TIMEOUT',
])

/** The settings of one service, by the names of their environment variables. */
export type ConfigSchema = z.ZodObject<ConfigShape>

/** The values that `parseConfig` returns for a schema. */
export type ConfigOf<Schema extends z.ZodType> = z.output<Schema>

/**
 * The schema of a service's configuration. A setting in milliseconds has a name that ends in `_MS`. Rules over several settings are added by `checkRules`.
 *
 *     export const configSchema = defineConfig({ ...serviceSettings({ adminPort: 8081 }), HTTP_PORT: port({ default: 8080, description: '…' }) })
 *     export type Config = ConfigOf<typeof configSchema>
 */
export function defineConfig<const Shape extends ConfigShape>(shape: Shape): z.ZodObject<Shape> {
  for (const [name, schema] of Object.entries(shape)) {
    const facts = settingFacts(schema)
    if (facts === undefined) throw new TypeError(`setting ${name} has no description`)
    if (facts.unit === 'ms' && !name.endsWith('_MS') && !NAMES_WITHOUT_UNIT.has(name))
      throw new TypeError(`setting ${name} is in milliseconds: its name must end in _MS`)
  }
  return z.object(shape)
}

/** The facts of each setting, in the order of the schema. */
export function settingsOf(schema: ConfigSchema): ReadonlyMap<string, SettingFacts> {
  return new Map(
    Object.entries(schema.shape).map(([name, setting]) => [name, settingFacts(setting) ?? { description: '' }]),
  )
}
