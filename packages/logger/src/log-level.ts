/** The seven levels, numbered as winston numbers them: 0 is the most severe. No threshold leaves out `audit` and `security`. */
export const logLevels = {
  security: 0,
  audit: 1,
  fatal: 2,
  error: 3,
  warn: 4,
  info: 5,
  debug: 6,
} as const

/** The level of one line. */
export type LogLevel = keyof typeof logLevels

/** The levels that a threshold may be set to. */
export const logThresholds = ['debug', 'info', 'warn', 'error', 'fatal'] as const

/** A level below which lines are dropped. */
export type LogThreshold = (typeof logThresholds)[number]

/** Whether the value is a threshold, for input from outside. */
export function isLogThreshold(value: unknown): value is LogThreshold {
  return (logThresholds as readonly unknown[]).includes(value)
}
