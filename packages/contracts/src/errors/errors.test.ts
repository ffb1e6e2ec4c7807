import { describe, expect, it } from '@jest/globals'
import { coreErrors } from './core-errors.js'
import { defineErrors } from './define-errors.js'
import { type ErrorKind, KIND_TRAITS, kindOfGrpcStatus } from './error-kind.js'
import { toProblem } from './to-problem.js'
import { toMillraceError, wrapError } from './wrap-error.js'

const errors = defineErrors({
  STREAM_UNAVAILABLE: ['unavailable', 'the broker did not acknowledge the batch'],
  BATCH_TOO_LARGE: ['invalid', 'the batch is over the limit', { httpStatus: 413 }],
  TABLE_BROKEN: ['internal', 'relation "events" is gone'],
})

describe('an error table', () => {
  it('gives an error its code, its kind and the retry rule of that kind', () => {
    const cause = new Error('socket closed')
    const error = errors.STREAM_UNAVAILABLE({ cause, details: { partition: 3 } })
    expect(error).toMatchObject({
      code: 'STREAM_UNAVAILABLE',
      kind: 'unavailable',
      message: 'the broker did not acknowledge the batch',
      retryable: true,
      details: { partition: 3 },
      httpStatus: 503,
    })
    expect(error.cause).toBe(cause)
    expect(errors.STREAM_UNAVAILABLE.matches(error)).toBe(true)
    expect(errors.BATCH_TOO_LARGE.matches(error)).toBe(false)
  })

  it('lets one error override whether a retry may help', () => {
    expect(errors.STREAM_UNAVAILABLE({ retryable: false }).retryable).toBe(false)
  })

  it('keeps the code and the cause when wrapError adds an action', () => {
    const inner = errors.BATCH_TOO_LARGE()
    const outer = wrapError('appending the batch', inner)
    expect(outer.message).toBe('appending the batch: the batch is over the limit')
    expect(outer).toMatchObject({ code: 'BATCH_TOO_LARGE', httpStatus: 413 })
    expect(outer.cause).toBe(inner)
  })

  it('turns an error of another class into INTERNAL with the original as its cause', () => {
    const foreign = new TypeError('x is undefined')
    expect(coreErrors.INTERNAL.matches(toMillraceError(foreign))).toBe(true)
    expect(toMillraceError(foreign).cause).toBe(foreign)
  })
})

describe('an error kind', () => {
  it.each(Object.keys(KIND_TRAITS) as ErrorKind[])('is the same after it was sent as a gRPC status: %s', (kind) => {
    expect(kindOfGrpcStatus(KIND_TRAITS[kind].grpcStatus)).toBe(kind)
  })
})

describe('a problem document', () => {
  it('has the stable code, the status and the ids', () => {
    expect(
      toProblem(errors.BATCH_TOO_LARGE({ details: { limit_bytes: 10 } }), { requestId: 'r1', traceId: 't1' }),
    ).toEqual({
      type: 'urn:millrace:error:batch_too_large',
      title: 'Too large',
      status: 413,
      code: 'BATCH_TOO_LARGE',
      detail: 'the batch is over the limit',
      retryable: false,
      request_id: 'r1',
      trace_id: 't1',
      details: { limit_bytes: 10 },
    })
  })

  it.each([errors.TABLE_BROKEN({ details: { dsn: 'x' } }), new Error('relation "events" is gone')])(
    'omits the message and the details of an internal error',
    (error) => {
      const text = JSON.stringify(toProblem(error))
      expect(text).not.toContain('relation')
      expect(text).not.toContain('dsn')
      expect(toProblem(error).status).toBe(500)
    },
  )
})
