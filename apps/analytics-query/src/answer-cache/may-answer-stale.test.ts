import { describe, expect, it } from '@jest/globals'
import { coreErrors, type ErrorFactory } from '@millrace/contracts'
import { databaseErrors } from '@millrace/database'
import { errors } from '../errors.js'
import { mayAnswerStale } from './may-answer-stale.js'

describe('a stale answer', () => {
  it.each<[string, ErrorFactory]>([
    ['a database that cannot be reached', databaseErrors.DATABASE_UNAVAILABLE],
    ['an open circuit breaker', coreErrors.DEPENDENCY_CIRCUIT_OPEN],
    ['a statement that timed out', databaseErrors.DATABASE_TIMEOUT],
    ['a full queue of the tenant', errors.TOO_MANY_QUERIES],
    ['a full queue', errors.QUERY_QUEUE_FULL],
  ])('may be returned instead of the error of %s', (_title, error) => {
    expect(mayAnswerStale(error())).toBe(true)
  })

  it.each<[string, unknown]>([
    ['a query that is too expensive', errors.QUERY_TOO_EXPENSIVE()],
    ['an invalid query', errors.INVALID_METRIC()],
    ['a cancelled call', coreErrors.CALL_CANCELLED()],
    ['a bug in this service', new TypeError('x is undefined')],
  ])('is not returned instead of the error of %s', (_title, error) => {
    expect(mayAnswerStale(error)).toBe(false)
  })
})
