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
 * Whether the last good answer, marked stale, may stand in for one that failed so: the database cannot be reached, is overloaded or too slow, or
 * the query did not get its turn. A query that is wrong or too expensive has no such answer, and one that was cancelled has nobody to take it.
 */
export function mayAnswerStale(error: unknown): boolean {
  return CODES.some((code) => code.matches(error))
}
