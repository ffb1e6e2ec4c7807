import { describe, expect, it } from '@jest/globals'
import { WatermarkWait } from './watermark-wait.js'

const NEVER = 3_600_000
const NOW = 100

function setUp({ defaultMs = NEVER, maxMs = NEVER, waitersMax = 10 } = {}) {
  let looks = 0
  const source = { storedToMs: NOW, soon: () => void looks++ }
  const wait = new WatermarkWait({ defaultMs, maxMs, waitersMax }, { source: () => source, now: () => NOW })
  const ask = (
    watermarkMs: number,
    over: { tenantId?: number; waitMs?: number; deadlineMs?: number; signal?: AbortSignal } = {},
  ) =>
    wait.reach(watermarkMs, {
      tenantId: over.tenantId ?? 1,
      waitMs: over.waitMs,
      deadlineMs: over.deadlineMs,
      signal: over.signal ?? new AbortController().signal,
    })
  /** What a look finds. */
  const store = (upToMs: number) => {
    source.storedToMs = upToMs
    wait.checkWaiters()
  }
  return { wait, ask, store, looks: () => looks }
}

describe('a call that waits for a watermark', () => {
  it('ends with the reading that finds its watermark, and readings are requested as long as any call waits', async () => {
    const { wait, ask, store, looks } = setUp()
    const [near, far] = [ask(110), ask(120)]
    expect([wait.waiting, looks()]).toEqual([2, 2])
    store(110)
    expect(await near).toBe(true)
    expect([wait.waiting, looks()]).toEqual([1, 3])
    store(Number.NEGATIVE_INFINITY)
    expect([wait.waiting, looks()]).toEqual([1, 4])
    store(125)
    expect(await far).toBe(true)
    expect([wait.waiting, looks()]).toEqual([0, 4])
  })

  it.each<[string, Parameters<typeof setUp>[0], Parameters<ReturnType<typeof setUp>['ask']>]>([
    ['the watermark is reached already', {}, [100]],
    ['it asks for no wait', {}, [101, { waitMs: 0 }]],
    ['waiting is disabled by QUERY_WAIT_MAX_MS', { maxMs: 0 }, [101, { waitMs: NEVER }]],
    ['its deadline has passed', {}, [101, { deadlineMs: NOW - 1 }]],
    ['all places are taken', { waitersMax: 0 }, [101]],
    ['the watermark is further in the future than the time to wait', {}, [NOW + 1001, { waitMs: 1000 }]],
  ])('does not wait when %s', async (_title, config, asked) => {
    const { ask, wait } = setUp(config)
    expect(await ask(...asked)).toBe(false)
    expect(wait.waiting).toBe(0)
  })

  it.each<[string, Parameters<typeof setUp>[0], { waitMs?: number; deadlineMs?: number }]>([
    ['the time it asks for', {}, { waitMs: 5 }],
    ['the default time', { defaultMs: 5 }, {}],
    ['the maximum time', { maxMs: 5 }, { waitMs: NEVER }],
    ['half of the time left until its deadline', {}, { deadlineMs: NOW + 10 }],
  ])('waits no longer than %s', async (_title, config, over) => {
    const { ask, wait } = setUp(config)
    expect(await ask(101, over)).toBe(true)
    expect(wait.waiting).toBe(0)
  })

  it('finds a place whatever other tenants wait for, and gives it back', async () => {
    const { wait, ask, store } = setUp({ waitersMax: 10 })
    const greedy = Array.from({ length: 20 }, () => ask(110))
    expect(wait.waiting).toBe(5)
    expect(await Promise.all(greedy.slice(5))).toEqual(Array.from({ length: 15 }, () => false))
    const other = [ask(110, { tenantId: 2 }), ask(110, { tenantId: 2 }), ask(110, { tenantId: 3 })]
    expect(wait.waiting).toBe(8)
    store(110)
    expect(await Promise.all([...greedy.slice(0, 5), ...other])).toEqual(Array.from({ length: 8 }, () => true))
    for (let index = 0; index < 5; index++) void ask(111)
    expect(wait.waiting).toBe(5)
    wait.stop()
  })

  it('ends when its call is cancelled and when the service stops', async () => {
    const { ask, wait } = setUp()
    const caller = new AbortController()
    const cancelled = ask(101, { signal: caller.signal })
    const other = ask(101)
    caller.abort(new Error('gone'))
    await expect(cancelled).rejects.toThrow('gone')
    expect(wait.waiting).toBe(1)
    wait.stop()
    expect(await other).toBe(true)
    await expect(ask(101, { signal: caller.signal })).rejects.toThrow('gone')
    expect(wait.waiting).toBe(0)
  })
})
