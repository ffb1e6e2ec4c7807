import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Cache, type Clock, createCache } from '@millrace/cache'
import { coreErrors, NORMAL_DELAY_MS } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { errors } from '../errors.js'
import { tagsOfDay } from '../invalidation/answer-tags.js'
import type { ParsedQuery } from '../kinds/query-kind.js'
import { AnswerCache, OPEN_STALE_MS } from './answer-cache.js'
import { createHttpPolicy } from './http-policy.js'

const DAY = 86_400_000
const NOW = Date.parse('2026-11-21T12:00:00Z')
const OPEN_MS = 1_000

let clock: Clock & { ms: number }
let cache: Cache
let answers: AnswerCache
let invalidation: { watermarkMs: number; unseenMs: number }
/** What reading gives, and how often it was done. */
let value: number
let meta: { ageMs: number; watermarkMs: number | null }
let fault: Error | undefined
let reads: number

beforeEach(() => {
  clock = {
    ms: 0,
    wallMs: () => NOW + clock.ms,
    monotonicMs: () => clock.ms,
    schedule: () => () => undefined,
    turn: () => Promise.resolve(),
  }
  cache = createCache({ name: 'test', lagMsMax: DAY }, { logger: silentLogger, clock, random: () => 0 })
  invalidation = { watermarkMs: NOW, unseenMs: 0 }
  answers = new AnswerCache(
    { closedMs: 7 * DAY, openMs: OPEN_MS, staleMs: 3_600_000 },
    { cache, invalidation: () => invalidation },
  )
  value = 1
  meta = { ageMs: 0, watermarkMs: NOW }
  fault = undefined
  reads = 0
})

afterEach(() => cache.close())

function requestOf(
  over: Partial<ParsedQuery> & { tenantId?: number; minWatermarkMs?: number; isFresh?: boolean } = {},
) {
  const { tenantId = 1, minWatermarkMs, isFresh = false, ...fields } = over
  const query: ParsedQuery = {
    kind: 'timeseries',
    canonicalKey: `${fields.fromMs} ${fields.toMs}`,
    fromMs: NOW - 3 * DAY,
    toMs: NOW - 2 * DAY,
    events: ['Flight'],
    run: () => Promise.reject(new Error('the request runs')),
    ...fields,
  }
  const run = async () => {
    reads++
    if (fault !== undefined) throw fault
    return { data: [{ value }], nextCursor: '', meta: { source: 'rollup' as const, ...meta, plan: null } }
  }
  return { tenantId, query, run, isFresh, minWatermarkMs }
}

async function ask(over: Parameters<typeof requestOf>[0] = {}) {
  const given = await answers.answer(requestOf(over))
  const [point] = JSON.parse(given.answer.dataJson.toString()) as { value: number }[]
  return { value: point?.value, source: given.source, ageMs: given.ageMs, isStale: given.isStale, given }
}

const open = { fromMs: NOW - DAY, toMs: NOW + DAY }

describe('concurrent calls with one query', () => {
  it('share one read, and a call that joined later gets the age of the answer', async () => {
    let begin: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const request = requestOf()
    const run = () => {
      begin()
      return finished.then(request.run)
    }
    const first = answers.answer({ ...request, run })
    await begun
    clock.ms += 500
    const second = answers.answer({ ...request, run })
    finish()
    expect([(await first).ageMs, (await second).ageMs]).toEqual([0, 500])
    expect(reads).toBe(1)
  })
})

describe('the cached answer over a closed range', () => {
  it('is read once and returned with its age until a late event invalidates it', async () => {
    expect(await ask()).toMatchObject({ value: 1, source: 'rollup', ageMs: 0, isStale: false })
    value = 2
    clock.ms += 2 * DAY
    expect(await ask()).toMatchObject({ value: 1, source: 'memory', ageMs: 2 * DAY, isStale: false })
    await answers.invalidate(tagsOfDay({ tenant: 1, event: 'Flight', day: '2026-11-19' }))
    expect(await ask()).toMatchObject({ value: 2, source: 'rollup', ageMs: 0 })
    expect(reads).toBe(2)
  })

  it.each([
    ['shows the state of the last flush', { ageMs: 1, watermarkMs: NOW }],
    ['comes from a server that lags', { ageMs: 0, watermarkMs: NOW - 2 * DAY + NORMAL_DELAY_MS - 1 }],
    ['has no watermark', { ageMs: 0, watermarkMs: null }],
  ])('is cached only as long as an open one when it %s', async (_, given) => {
    meta = given
    await ask()
    clock.ms += OPEN_MS
    value = 2
    await ask()
    expect(await ask()).toMatchObject({ value: 2 })
  })

  it('is cached for days only when events with normal delay can no longer fall into the range', async () => {
    for (const [toMs, expected] of [
      [NOW - NORMAL_DELAY_MS, 1],
      [NOW - NORMAL_DELAY_MS + 1, 2],
    ] as const) {
      reads = 0
      await ask({ toMs })
      clock.ms += OPEN_MS + OPEN_STALE_MS + 1
      await ask({ toMs })
      expect(reads).toBe(expected)
    }
  })

  it('is marked stale while late events cannot be read', async () => {
    await ask()
    invalidation.unseenMs = 5_001
    expect(await ask()).toMatchObject({ value: 1, isStale: true })
  })
})

describe('the cached answer over an open range', () => {
  it('is returned for a second, then refreshed in the background, and waited for when it is older', async () => {
    await ask(open)
    value = 2
    clock.ms += OPEN_MS - 1
    expect(await ask(open)).toMatchObject({ value: 1, source: 'memory', ageMs: OPEN_MS - 1 })
    clock.ms += OPEN_MS
    expect(await ask(open)).toMatchObject({ value: 1, ageMs: 2 * OPEN_MS - 1, isStale: false })
    expect(await ask(open)).toMatchObject({ value: 2 })
    value = 3
    clock.ms += 2 * OPEN_MS + OPEN_STALE_MS
    expect(await ask(open)).toMatchObject({ value: 3, isStale: false })
  })

  it('is cached however many points it has', async () => {
    const point = {
      time: '2026-11-21T00:00:00.000Z',
      group: { 'context.device.type': 'mobile', 'properties.category': 'books and music', 'properties.country': 'US' },
      value: 1234,
      previous: 1233,
      values: {
        users: 1000,
        events: 12_345,
        bounce_rate: 1 / 3,
        seconds_avg: 1e3 / 7,
        seconds_p50: 1e2 / 7,
        seconds_p95: 1e4 / 7,
      },
    }
    const data = Array.from({ length: 10_000 }, () => point)
    const many = requestOf(open)
    const askMany = () => answers.answer({ ...many, run: async () => ({ ...(await many.run()), data }) })
    const first = await askMany()
    expect(first.answer.dataJson.length).toBeGreaterThan(2 * 2 ** 20)
    expect(await askMany()).toMatchObject({ source: 'memory', isStale: false })
    clock.ms += OPEN_MS + OPEN_STALE_MS + 1
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    expect(await askMany()).toMatchObject({ source: 'memory', isStale: true })
  })

  it('is returned as a stale answer with its age while the database is down', async () => {
    await ask(open)
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    clock.ms += 600_000
    expect(await ask(open)).toMatchObject({ value: 1, source: 'memory', ageMs: 600_000, isStale: true })
    clock.ms += 3_600_000
    await expect(ask(open)).rejects.toMatchObject({ code: 'DEPENDENCY_CIRCUIT_OPEN' })
  })

  it('is returned as a stale answer after the range has closed, if there is no newer one', async () => {
    await ask(open)
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    clock.ms += 600_000
    invalidation.watermarkMs = open.toMs + NORMAL_DELAY_MS
    expect(await ask(open)).toMatchObject({ value: 1, ageMs: 600_000, isStale: true })
    await expect(ask({ ...open, isFresh: true })).rejects.toBe(fault)
    await expect(ask({ fromMs: open.fromMs + 1, toMs: open.toMs })).rejects.toBe(fault)
    fault = errors.TOO_MANY_GROUPS()
    await expect(ask(open)).rejects.toBe(fault)
    fault = undefined
    value = 2
    expect(await ask(open)).toMatchObject({ value: 2, isStale: false })
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    expect(await ask(open)).toMatchObject({ value: 2, isStale: false })
  })

  it('is not returned instead of a query that is rejected', async () => {
    await ask(open)
    fault = errors.TOO_MANY_GROUPS()
    clock.ms += 600_000
    await expect(ask(open)).rejects.toBe(fault)
    fault = undefined
    value = 2
    expect(await ask(open)).toMatchObject({ value: 2 })
  })
})

describe('a caller of the answer cache', () => {
  it('never gets the answer of another tenant', async () => {
    await ask()
    value = 2
    expect(await ask({ tenantId: 2 })).toMatchObject({ value: 2, source: 'rollup' })
  })

  it('gets an answer that is read for it when it asks for a fresh one, or for one newer than the cached one', async () => {
    await ask()
    value = 2
    expect(await ask({ isFresh: true })).toMatchObject({ value: 2, source: 'rollup' })
    expect(await ask({ minWatermarkMs: NOW })).toMatchObject({ value: 2, source: 'memory' })
    value = 3
    meta = { ageMs: 0, watermarkMs: NOW + 1 }
    expect(await ask({ minWatermarkMs: NOW + 1 })).toMatchObject({ value: 3, source: 'rollup' })
  })

  it('shares one reading with concurrent callers', async () => {
    await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(reads).toBe(1)
  })
})

describe('the HTTP cache policy of an answer', () => {
  const policyOf = async (over: Parameters<typeof requestOf>[0], purgedEdgeS: number | undefined) => {
    const request = requestOf(over)
    const { given } = await ask(over)
    return createHttpPolicy({ maxAgeMs: 400 * DAY, purgedEdgeS }, { now: () => NOW })(given, request)
  }
  const old = { fromMs: NOW - 500 * DAY, toMs: NOW - 401 * DAY }

  it('allows a minute for closed ranges, longer for an edge that is purged, and immutable only when the gateway accepts no events for the range any more', async () => {
    expect(await policyOf({}, undefined)).toMatchObject({ maxAgeS: 60, isImmutable: false })
    expect(await policyOf({}, 3600)).toMatchObject({ maxAgeS: 3600, isImmutable: false })
    expect(await policyOf(old, undefined)).toMatchObject({ maxAgeS: 86_400, isImmutable: true })
    expect(await policyOf({ ...old, toMs: old.toMs + 1 }, undefined)).toMatchObject({ isImmutable: false })
    expect(await policyOf(open, 3600)).toMatchObject({ maxAgeS: 1, staleWhileRevalidateS: 10 })
  })

  it('forbids caching of a stale answer', async () => {
    await ask()
    invalidation.unseenMs = 60_000
    expect(await policyOf({}, 3600)).toBeUndefined()
  })

  it('has an etag that changes with the data, and surrogate keys of the tenant and the days', async () => {
    const before = await policyOf({}, 3600)
    await answers.invalidateAll()
    const same = await policyOf({}, 3600)
    await answers.invalidateAll()
    value = 2
    const changed = await policyOf({}, 3600)
    expect([same?.etag === before?.etag, changed?.etag === before?.etag]).toEqual([true, false])
    expect(before?.surrogateKeys.slice(0, 2)).toEqual(['millrace', 't1'])
    expect(before?.surrogateKeys.slice(2).map((key) => key.split(':')[2])).toEqual(['2026-11-18', '2026-11-19'])
  })
})
