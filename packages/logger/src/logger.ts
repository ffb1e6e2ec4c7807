import type { LogLevel, LogThreshold } from './log-level.js'

/** Facts of one line. Values may be anything; they are masked and made ready for JSON before the call returns or sooner than they can change. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes structured lines. The message is a constant sentence, facts are fields. A call never throws and never waits: lines are buffered and
 * written soon after. INFO is lifecycle, WARN recovered with nothing lost, ERROR lost or a person must act; normal traffic logs nothing.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** The process is about to end. Written at once. */
  fatal(message: string, fields?: LogFields): void
  /** Who did what to which resource. Written at once, whatever the level. */
  audit(message: string, fields?: LogFields): void
  /** A failed login, a violated limit, a refused access. Written at once, whatever the level. */
  security(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line; it follows level changes of its root. */
  child(fields: LogFields): Logger
  isEnabled(level: LogLevel): boolean
}

/** The logger of a process: the one that owns the output. */
export interface RootLogger extends Logger {
  readonly level: LogThreshold
  /** Takes effect at once for the logger and all its children. */
  setLevel(level: LogThreshold): void
  /** Hands everything buffered to the output. */
  flush(): void
  /** Flushes and lets go of the process's exit event. Lines logged later are written at once. */
  close(): void
}

/** Writes nothing. For tests and for code that may run without a logger. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  audit: () => undefined,
  security: () => undefined,
  child: () => silentLogger,
  isEnabled: () => false,
}
