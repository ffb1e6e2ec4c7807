/**
 * The seven levels. The number is the rank by which a threshold cuts; `audit` and `security` rank above every threshold, so they are always
 * written.
 */
export const logLevelRanks = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  fatal: 4,
  audit: 5,
  security: 6,
} as const

export type LogLevel = keyof typeof logLevelRanks

/** The levels that a threshold may be set to. */
export const logThresholds = ['debug', 'info', 'warn', 'error', 'fatal'] as const

export type LogThreshold = (typeof logThresholds)[number]

export function isLogThreshold(value: unknown): value is LogThreshold {
  return (logThresholds as readonly unknown[]).includes(value)
}
