import { describe, expect, it } from '@jest/globals'
import { coreErrors, type ErrorFactory } from '@millrace/contracts'
import { databaseErrors } from '@millrace/database'
import { errors } from '../errors.js'
import { mayAnswerStale } from './may-answer-stale.js'

describe('the last good answer', () => {
  it.each<[string, ErrorFactory]>([
    ['a database that cannot be reached', databaseErrors.DATABASE_UNAVAILABLE],
    ['an open circuit breaker', coreErrors.DEPENDENCY_CIRCUIT_OPEN],
    ['a statement over its time limit', databaseErrors.DATABASE_TIMEOUT],
    ['a full queue of the tenant', errors.TOO_MANY_QUERIES],
    ['a full queue', errors.QUERY_QUEUE_FULL],
  ])('may stand in for %s', (_title, error) => {
    expect(mayAnswerStale(error())).toBe(true)
  })

  it.each<[string, unknown]>([
    ['a query that is too expensive', errors.QUERY_TOO_EXPENSIVE()],
    ['a wrong query', errors.INVALID_METRIC()],
    ['a call that was cancelled', coreErrors.CALL_CANCELLED()],
    ['a fault of our own', new TypeError('x is undefined')],
  ])('does not stand in for %s', (_title, error) => {
    expect(mayAnswerStale(error)).toBe(false)
  })
})
