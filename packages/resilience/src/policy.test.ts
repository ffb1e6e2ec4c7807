import { describe, expect, it } from '@jest/globals'
import { coreErrors } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { createPolicy } from './policy.js'
import { computeRetryDelayMs, createRetry } from './retry.js'

const quick = { firstDelayMs: 1 }
const deps = { logger: silentLogger }
const failing = (error: unknown) => {
  const calls: number[] = []
  const fn = ({ attempt }: { attempt: number }) => {
    calls.push(attempt)
    return Promise.reject(error)
  }
  return { calls, fn }
}

describe('the waits between attempts', () => {
  it('begin at 100 ms, double, and end at 5 s', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8].map((attempt) => computeRetryDelayMs(attempt, {}, () => 0))
    expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000])
  })

  it('are shortened at random by at most half', () => {
    expect(computeRetryDelayMs(1, {}, () => 1)).toBe(50)
    expect(computeRetryDelayMs(1, {}, () => 0.5)).toBe(75)
  })

  it('respect retryAfterSeconds of the error, up to 5 s', () => {
    expect(computeRetryDelayMs(1, {}, () => 0, coreErrors.EXHAUSTED({ retryAfterSeconds: 2 }))).toBe(2000)
    expect(computeRetryDelayMs(1, {}, () => 0, coreErrors.EXHAUSTED({ retryAfterSeconds: 60 }))).toBe(5000)
  })
})

describe('a retry', () => {
  it('makes 3 attempts in all and throws the last error unchanged', async () => {
    const error = coreErrors.DEPENDENCY_UNAVAILABLE()
    const { calls, fn } = failing(error)
    const waits: number[] = []
    await expect(
      createRetry(quick, { random: () => 0, onRetry: ({ delayMs }) => void waits.push(delayMs) }).execute(fn),
    ).rejects.toBe(error)
    expect(calls).toEqual([1, 2, 3])
    expect(waits).toEqual([1, 2])
  })

  it.each([
    ['an error that is not retryable', coreErrors.INVALID_REQUEST()],
    ['one occurrence that is not retryable', coreErrors.DEPENDENCY_UNAVAILABLE({ retryable: false })],
    ['an error without the property retryable', new Error('bug')],
    ['an open circuit breaker', coreErrors.DEPENDENCY_CIRCUIT_OPEN()],
  ])('does not repeat %s', async (_what, error) => {
    const { calls, fn } = failing(error)
    await expect(createRetry(quick).execute(fn)).rejects.toBe(error)
    expect(calls).toEqual([1])
  })

  it('stops with the reason of an aborted signal', async () => {
    const controller = new AbortController()
    const reason = new Error('caller left')
    const { calls, fn } = failing(coreErrors.DEPENDENCY_UNAVAILABLE())
    const retry = createRetry(quick, { onRetry: () => controller.abort(reason) })
    await expect(retry.execute(fn, controller.signal)).rejects.toBe(reason)
    expect(calls).toEqual([1])
  })
})

describe('a policy', () => {
  it('counts every attempt for the circuit breaker', async () => {
    const redis = createPolicy('redis', { retry: quick }, deps)
    const { calls, fn } = failing(coreErrors.DEPENDENCY_UNAVAILABLE())
    for (let i = 0; i < 4; i++) await redis.execute(fn).catch(() => undefined)
    expect(calls).toHaveLength(10)
    expect(redis.circuitBreaker?.state).toBe('open')
  })

  it('limits the time of each attempt, aborts slow ones, and retries', async () => {
    const aborted: number[] = []
    const slow = createPolicy('index', { timeoutMs: 5, retry: quick }, deps)
    const call = slow.execute(
      ({ signal, attempt }) =>
        new Promise((resolve) => {
          if (attempt === 3) resolve('third')
          signal.addEventListener('abort', () => aborted.push(attempt))
        }),
    )
    await expect(call).resolves.toBe('third')
    expect(aborted).toEqual([1, 2])
  })

  it('names the dependency that exceeded the time limit', async () => {
    const slow = createPolicy('index', { timeoutMs: 1, retry: false }, deps)
    await expect(slow.execute(() => new Promise(() => undefined))).rejects.toMatchObject({
      code: 'DEPENDENCY_TIMEOUT',
      message: 'index did not answer in 1 ms',
      retryable: true,
    })
  })
})
