import { describe, expect, it } from '@jest/globals'
import { CachedCheck } from './cached-check.js'
import type { CheckResult } from './health-check.js'

describe('a cached check', () => {
  it('runs once for all callers, and again when its result is too old', async () => {
    let runs = 0
    let nowMs = 0
    const check = new CachedCheck(
      { name: 'x', run: async () => ({ status: 'healthy', run: ++runs }) },
      { cacheMs: 100, timeoutMs: 1000 },
      () => nowMs,
    )
    const results = await Promise.all([check.result(), check.result(), check.result()])
    expect(results.map(({ run }) => run)).toEqual([1, 1, 1])
    nowMs = 99
    expect((await check.result()).run).toBe(1)
    nowMs = 100
    expect((await check.result()).run).toBe(2)
  })

  it('is unhealthy when it throws', async () => {
    const check = new CachedCheck(
      { name: 'x', run: () => Promise.reject(new Error('no route')) },
      { cacheMs: 0, timeoutMs: 1000 },
      () => 0,
    )
    expect(await check.result()).toEqual({ status: 'unhealthy', error: 'no route' })
  })

  it('is degraded when it throws or hangs and a failure counts as degraded', async () => {
    const config = { cacheMs: 0, timeoutMs: 10, failedStatus: 'degraded' } as const
    const throwing = new CachedCheck({ name: 'x', run: () => Promise.reject(new Error('no route')) }, config, () => 0)
    expect(await throwing.result()).toEqual({ status: 'degraded', error: 'no route' })
    const hanging = new CachedCheck({ name: 'x', run: () => new Promise(() => undefined) }, config, () => 0)
    expect(await hanging.result()).toEqual({ status: 'degraded', error: 'no answer in 10 ms' })
  })

  it('is unhealthy while the check hangs, starts no second one, and uses the result when it ends', async () => {
    let runs = 0
    let finish: (result: CheckResult) => void = () => {}
    const run = () => {
      runs++
      return new Promise<CheckResult>((resolve) => {
        finish = resolve
      })
    }
    const check = new CachedCheck({ name: 'x', run }, { cacheMs: 0, timeoutMs: 10 }, () => 0)
    expect(await check.result()).toMatchObject({ status: 'unhealthy', error: 'no answer in 10 ms' })
    const second = check.result()
    finish({ status: 'healthy' })
    expect(await second).toEqual({ status: 'healthy' })
    expect(runs).toBe(1)
  })
})
