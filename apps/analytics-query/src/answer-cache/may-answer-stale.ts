import { coreErrors } from '@millrace/contracts'
import { databaseErrors } from '@millrace/database'
import { errors } from '../errors.js'

const CODES = [
  databaseErrors.DATABASE_UNAVAILABLE,
  databaseErrors.DATABASE_CONFLICT,
  databaseErrors.DATABASE_TIMEOUT,
  databaseErrors.DATABASE_LOCK_TIMEOUT,
  databaseErrors.DATABASE_FULL,
  coreErrors.DEPENDENCY_CIRCUIT_OPEN,
  coreErrors.DEPENDENCY_TIMEOUT,
  coreErrors.DEADLINE_EXCEEDED,
  errors.TOO_MANY_QUERIES,
  errors.QUERY_QUEUE_FULL,
]

/**
 * Whether a stale answer may be returned instead of this error: the database cannot be reached, is overloaded or too
 * slow, or the query was dropped from the queue. Not for invalid or too expensive queries, nor for cancelled ones.
 */
export function mayAnswerStale(error: unknown): boolean {
  return CODES.some((code) => code.matches(error))
}
