import type { z } from 'zod'

/** A rule over several settings. It returns a whole sentence when they contradict each other. */
export type SettingsRule<Config> = (config: Config) => string | undefined

/**
 * For `superRefine` of a configuration schema: checks rules over several settings once every setting is valid by itself.
 *
 *     export const configSchema = defineConfig({ … }).superRefine(checkRules(eventTimesRule))
 */
export function checkRules<const Rules extends readonly SettingsRule<never>[]>(
  ...rules: Rules
): (config: ConfigOfRules<Rules>, context: z.core.$RefinementCtx<ConfigOfRules<Rules>>) => void {
  return (config, context) => {
    for (const rule of rules as unknown as readonly SettingsRule<ConfigOfRules<Rules>>[]) {
      const message = rule(config)
      if (message !== undefined) context.addIssue({ code: 'custom', message, input: config })
    }
  }
}

/** What a configuration must have so that every rule can be checked. */
type ConfigOfRules<Rules extends readonly SettingsRule<never>[]> = [Rules[number]] extends [
  (config: infer Config) => string | undefined,
]
  ? Config
  : never

/** Refuses a configuration that accepts events which retention would delete at once. */
export function eventTimesRule({
  EVENTS_MAX_AGE_DAYS: maxAge,
  EVENTS_RETENTION_DAYS: retention,
}: {
  readonly EVENTS_MAX_AGE_DAYS: number
  readonly EVENTS_RETENTION_DAYS: number
}): string | undefined {
  if (maxAge <= retention) return undefined
  return `EVENTS_MAX_AGE_DAYS is ${maxAge}, but EVENTS_RETENTION_DAYS is ${retention}: events would be accepted and then deleted at once; set EVENTS_MAX_AGE_DAYS to at most ${retention}, or leave it unset.`
}

/** Refuses a configuration in which one setting is above another one; the other one may be unset. */
export function atMostRule<Name extends string, Limit extends string>(
  name: Name,
  limit: Limit,
): SettingsRule<Readonly<Record<Name, number> & Record<Limit, number | undefined>>> {
  return (config) =>
    config[name] > (config[limit] ?? Number.POSITIVE_INFINITY)
      ? `${name} is ${config[name]}, but ${limit} is ${config[limit]}: set ${name} to at most ${limit}.`
      : undefined
}
