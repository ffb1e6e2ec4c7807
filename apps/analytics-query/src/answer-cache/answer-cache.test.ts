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

function questionOf(
  over: Partial<ParsedQuery> & { tenantId?: number; minWatermarkMs?: number; isFresh?: boolean } = {},
) {
  const { tenantId = 1, minWatermarkMs, isFresh = false, ...fields } = over
  const query: ParsedQuery = {
    kind: 'timeseries',
    canonicalKey: `${fields.fromMs} ${fields.toMs}`,
    fromMs: NOW - 3 * DAY,
    toMs: NOW - 2 * DAY,
    events: ['Flight'],
    run: () => Promise.reject(new Error('the question runs')),
    ...fields,
  }
  const run = async () => {
    reads++
    if (fault !== undefined) throw fault
    return { data: [{ value }], nextCursor: '', meta: { source: 'rollup' as const, ...meta, plan: null } }
  }
  return { tenantId, query, run, isFresh, minWatermarkMs }
}

async function ask(over: Parameters<typeof questionOf>[0] = {}) {
  const given = await answers.answer(questionOf(over))
  const [point] = JSON.parse(given.answer.dataJson.toString()) as { value: number }[]
  return { value: point?.value, source: given.source, ageMs: given.ageMs, isStale: given.isStale, given }
}

const open = { fromMs: NOW - DAY, toMs: NOW + DAY }

describe('an answer that several ask for at once', () => {
  it('is read once, and says to who came later how long ago the reading began', async () => {
    let begin: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => {
      finish = resolve
    })
    const question = questionOf()
    const run = () => {
      begin()
      return finished.then(question.run)
    }
    const first = answers.answer({ ...question, run })
    await begun
    clock.ms += 500
    const second = answers.answer({ ...question, run })
    finish()
    expect([(await first).ageMs, (await second).ageMs]).toEqual([0, 500])
    expect(reads).toBe(1)
  })
})

describe('the answer over a closed range', () => {
  it('is read once and says its age, until a late event drops it', async () => {
    expect(await ask()).toMatchObject({ value: 1, source: 'rollup', ageMs: 0, isStale: false })
    value = 2
    clock.ms += 2 * DAY
    expect(await ask()).toMatchObject({ value: 1, source: 'memory', ageMs: 2 * DAY, isStale: false })
    await answers.invalidate(tagsOfDay({ tenant: 1, event: 'Flight', day: '2026-11-19' }))
    expect(await ask()).toMatchObject({ value: 2, source: 'rollup', ageMs: 0 })
    expect(reads).toBe(2)
  })

  it.each([
    ['is as of the last flush', { ageMs: 1, watermarkMs: NOW }],
    ['is of a server that is behind', { ageMs: 0, watermarkMs: NOW - 2 * DAY + NORMAL_DELAY_MS - 1 }],
    ['does not know how far it reaches', { ageMs: 0, watermarkMs: null }],
  ])('is not kept for long when it %s', async (_, given) => {
    meta = given
    await ask()
    clock.ms += OPEN_MS
    value = 2
    await ask()
    expect(await ask()).toMatchObject({ value: 2 })
  })

  it('begins only when no event can come into it with normal delay', async () => {
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

  it('is marked stale while nobody can tell whether late events have come', async () => {
    await ask()
    invalidation.unseenMs = 5_001
    expect(await ask()).toMatchObject({ value: 1, isStale: true })
  })
})

describe('the answer over an open range', () => {
  it('is given for a second, then read again behind the reader’s back, and waited for when it is older', async () => {
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

  it('is kept however many points it has', async () => {
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
    const many = questionOf(open)
    const askMany = () => answers.answer({ ...many, run: async () => ({ ...(await many.run()), data }) })
    const first = await askMany()
    expect(first.answer.dataJson.length).toBeGreaterThan(2 * 2 ** 20)
    expect(await askMany()).toMatchObject({ source: 'memory', isStale: false })
    clock.ms += OPEN_MS + OPEN_STALE_MS + 1
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    expect(await askMany()).toMatchObject({ source: 'memory', isStale: true })
  })

  it('stands in, marked stale and with its age, while the database is away', async () => {
    await ask(open)
    fault = coreErrors.DEPENDENCY_CIRCUIT_OPEN()
    clock.ms += 600_000
    expect(await ask(open)).toMatchObject({ value: 1, source: 'memory', ageMs: 600_000, isStale: true })
    clock.ms += 3_600_000
    await expect(ask(open)).rejects.toMatchObject({ code: 'DEPENDENCY_CIRCUIT_OPEN' })
  })

  it('stands in for that of the range once it is closed, if there is no younger one', async () => {
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

  it('does not stand in for one that is refused', async () => {
    await ask(open)
    fault = errors.TOO_MANY_GROUPS()
    clock.ms += 600_000
    await expect(ask(open)).rejects.toBe(fault)
    fault = undefined
    value = 2
    expect(await ask(open)).toMatchObject({ value: 2 })
  })
})

describe('who asks', () => {
  it('never gets what another tenant was told', async () => {
    await ask()
    value = 2
    expect(await ask({ tenantId: 2 })).toMatchObject({ value: 2, source: 'rollup' })
  })

  it('for a fresh answer, or for one newer than the kept one, gets one that is read for it', async () => {
    await ask()
    value = 2
    expect(await ask({ isFresh: true })).toMatchObject({ value: 2, source: 'rollup' })
    expect(await ask({ minWatermarkMs: NOW })).toMatchObject({ value: 2, source: 'memory' })
    value = 3
    meta = { ageMs: 0, watermarkMs: NOW + 1 }
    expect(await ask({ minWatermarkMs: NOW + 1 })).toMatchObject({ value: 3, source: 'rollup' })
  })

  it('at the same time as others shares one reading with them', async () => {
    await Promise.all(Array.from({ length: 20 }, () => ask()))
    expect(reads).toBe(1)
  })
})

describe('what HTTP caches are told', () => {
  const policyOf = async (over: Parameters<typeof questionOf>[0], purgedEdgeS: number | undefined) => {
    const question = questionOf(over)
    const { given } = await ask(over)
    return createHttpPolicy({ maxAgeMs: 400 * DAY, purgedEdgeS }, { now: () => NOW })(given, question)
  }
  const old = { fromMs: NOW - 500 * DAY, toMs: NOW - 401 * DAY }

  it('is to believe a closed answer for a minute, longer where it is purged, and for good only where nothing is accepted any more', async () => {
    expect(await policyOf({}, undefined)).toMatchObject({ maxAgeS: 60, isImmutable: false })
    expect(await policyOf({}, 3600)).toMatchObject({ maxAgeS: 3600, isImmutable: false })
    expect(await policyOf(old, undefined)).toMatchObject({ maxAgeS: 86_400, isImmutable: true })
    expect(await policyOf({ ...old, toMs: old.toMs + 1 }, undefined)).toMatchObject({ isImmutable: false })
    expect(await policyOf(open, 3600)).toMatchObject({ maxAgeS: 1, staleWhileRevalidateS: 10 })
  })

  it('is nothing of an answer that stands in for another', async () => {
    await ask()
    invalidation.unseenMs = 60_000
    expect(await policyOf({}, 3600)).toBeUndefined()
  })

  it('changes its tag with the data and names tenant and days', async () => {
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
