import type { LogContext } from './log-context.js'
import type { LogLevel } from './log-level.js'
import type { LogFields } from './logger.js'
import type { Masker } from './masker.js'

/** What is kept of one call until its line is written. */
export interface LogEntry {
  readonly time: number
  readonly level: LogLevel
  readonly message: string
  /** Masked already. */
  readonly bound: LogFields
  readonly context: LogContext | undefined
  /** Objects masked already, texts and numbers not yet. */
  readonly fields: LogFields | undefined
  readonly masker: Masker
}
