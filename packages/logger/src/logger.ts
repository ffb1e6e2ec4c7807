import type { LogLevel, LogThreshold } from './log-level.js'
import type { ShippingCounts } from './shipping-counts.js'

/** Facts of one line, of any type. Their state at the time of the call is written, masked and as JSON. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * Writes structured lines. The message is a constant sentence, facts are fields. A call never throws and never waits: lines are buffered and written
 * at most 100 ms later. Use info for the life of the process, warn for a fault that was repaired without loss, error when something was lost or a
 * person must act. Normal traffic logs nothing.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** The process is about to end because of a fault. Written at once. */
  fatal(message: string, fields?: LogFields): void
  /** Who did what to which resource. Written at once, at every level. */
  audit(message: string, fields?: LogFields): void
  /** A failed login, an exceeded limit, a refused access. Written at once, at every level. */
  security(message: string, fields?: LogFields): void
  /** A logger that adds these fields to every line. It follows level changes of its root. */
  child(fields: LogFields): Logger
  isEnabled(level: LogLevel): boolean
}

/** The logger of a process, which owns the output. */
export interface RootLogger extends Logger {
  readonly level: LogThreshold
  /** Takes effect at once for the logger and all its children. */
  setLevel(level: LogThreshold): void
  /** Writes all buffered lines. */
  flush(): void
  /** What became of the lines for log-shipper; undefined without `shipTo`. */
  readonly shipping: ShippingCounts | undefined
  /** Flushes and resolves when log-shipper has acknowledged all lines, or after `timeoutMs` (default 5,000). For the end of a service. */
  drained(timeoutMs?: number): Promise<void>
  /** Flushes, waits until all is written and removes the listener of the exit event. Lines logged later are written at once. */
  close(): void
}

/** A logger that writes nothing, for tests and for code whose logger is optional. */
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
