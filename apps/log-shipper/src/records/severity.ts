/** The levels that searches name, with the lowest severity number of each, see https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
export const LEVELS = { unknown: 0, trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 } as const
/** A key of `LEVELS`. */
export type Level = keyof typeof LEVELS
/** In ascending order of severity. */
export const LEVEL_NAMES = Object.keys(LEVELS) as readonly Level[]

/** The index in `LEVEL_NAMES` of a severity number from 0 to 24. */
export function levelIndex(severity: number): number {
  return severity === 0 ? 0 : Math.floor((severity - 1) / 4) + 1
}

/** The name of the level of a severity number from 0 to 24. */
export function levelOf(severity: number): Level {
  return LEVEL_NAMES[levelIndex(severity)] as Level
}

/** Names of levels in lower case, as logging libraries, syslog and agents write them. */
const BY_TEXT: Readonly<Record<string, number>> = {
  trace: 1,
  trace2: 2,
  trace3: 3,
  trace4: 4,
  finest: 1,
  all: 1,
  silly: 1,
  verbose: 5,
  v: 5,
  finer: 2,
  debug: 5,
  debug2: 6,
  debug3: 7,
  debug4: 8,
  dbg: 5,
  d: 5,
  fine: 5,
  config: 8,
  info: 9,
  info2: 10,
  info3: 11,
  info4: 12,
  information: 9,
  informational: 9,
  inf: 9,
  i: 9,
  log: 9,
  http: 9,
  ok: 9,
  success: 9,
  notice: 10,
  n: 10,
  warn: 13,
  warn2: 14,
  warn3: 15,
  warn4: 16,
  warning: 13,
  wrn: 13,
  w: 13,
  error: 17,
  error2: 18,
  error3: 19,
  error4: 20,
  err: 17,
  e: 17,
  severe: 17,
  failure: 17,
  critical: 18,
  crit: 18,
  c: 18,
  alert: 19,
  a: 19,
  fatal: 21,
  fatal2: 22,
  fatal3: 23,
  fatal4: 24,
  f: 21,
  panic: 21,
  emergency: 21,
  emerg: 21,
}

/** The severity number of a level's name, in any case; 0 when the name is unknown. */
export function severityOfText(text: string): number {
  if (text === '' || text.length > 16) return 0
  const name = text.trim().toLowerCase()
  return Object.hasOwn(BY_TEXT, name) ? (BY_TEXT[name] as number) : 0
}

/** The severity numbers of the syslog severities 0 (emergency) to 7 (debug), RFC 5424; GELF and journald use them too. */
const SYSLOG = [21, 19, 18, 17, 13, 10, 9, 5] as const

/** The severity number of a syslog severity; 0 when it is not an integer from 0 to 7. */
export function severityOfSyslog(level: number): number {
  return SYSLOG[level] ?? 0
}

/** The severity number of a numeric level of pino and bunyan, 10 (trace) to 60 (fatal); 0 for numbers below 10. */
export function severityOfPino(level: number): number {
  if (!(level >= 10)) return 0
  if (level >= 60) return 21
  return [1, 5, 9, 13, 17][Math.floor(level / 10) - 1] as number
}

/** Decides by the number first, then by the text. `number` is a severity number of OpenTelemetry; anything outside of 1 to 24 counts as absent. */
export function decideSeverity(number: number | undefined, text: string): number {
  if (number !== undefined && Number.isInteger(number) && number >= 1 && number <= 24) return number
  return severityOfText(text)
}
