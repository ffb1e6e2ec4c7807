import type { Logger } from './logger.js'
import { sanitiseSql } from './sanitise-sql.js'

/** A statement that a database has answered. */
export interface FinishedQuery {
  /** The text; its literals are replaced before it is logged. Parameters are never logged. */
  readonly statement: string
  readonly durationMs: number
  readonly rows?: number | undefined
  readonly error?: unknown
}

/**
 * Returns a function that logs finished statements without values: failed ones as error, those of `slowMs` (default 500) and more as warn, others as debug,
 * which costs nothing while debug is off.
 */
export function createQueryLogging(logger: Logger, { slowMs = 500 }: { readonly slowMs?: number } = {}) {
  return ({ statement, durationMs, rows, error }: FinishedQuery): void => {
    const level = error !== undefined ? 'error' : durationMs >= slowMs ? 'warn' : 'debug'
    if (!logger.isEnabled(level)) return
    const fields = { statement: sanitiseSql(statement), duration_ms: durationMs, rows, error }
    if (level === 'error') logger.error('a query failed', fields)
    else if (level === 'warn') logger.warn('a query was slow', fields)
    else logger.debug('a query was answered', fields)
  }
}
