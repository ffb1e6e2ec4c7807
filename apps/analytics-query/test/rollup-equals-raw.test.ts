import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import {
  DAY,
  DAYS,
  DEFINITIONS,
  expectSame,
  generate,
  minuteQuestion,
  question,
  random,
  reportRange,
  START,
  toRaw,
} from './rollup-questions.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

/** Other data and other questions each time; those of a failure come again with its seed in MILLRACE_ROLLUP_SEED. */
const SEED = Number(process.env.MILLRACE_ROLLUP_SEED ?? Date.now() % 2 ** 31)

describe('an answer from rollups', () => {
  let service: ServiceUnderTest
  let tenantId: number
  let events: TestEvent[]
  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY })
    tenantId = await createTenant(service.database, 'acme')
    events = generate(tenantId, 2000, random(SEED))
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, DEFINITIONS)
    for (let partition = 0; partition < 4; partition++)
      await storePartition(service.database, { partition, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  const run = (request: RunQueryRequest) => service.query(request, tenantId)
  const runRaw = (request: RunQueryRequest) => run(toRaw(request))

  const holds = async <T>(asked: fc.Arbitrary<T>, isTrueOf: (asked: T) => Promise<void>, numRuns: number) => {
    const property = fc.asyncProperty(asked, isTrueOf)
    await fc.assert(property, {
      numRuns,
      seed: SEED,
      reporter: (details) => {
        if (details.failed) throw new Error(`MILLRACE_ROLLUP_SEED=${SEED}\n${fc.defaultReportMessage(details)}`)
      },
    })
  }

  it('equals the answer from raw rows, for any query', async () => {
    const sources = new Set<string | undefined>()
    const isEqual = async (request: RunQueryRequest) => {
      const [fromRollups, fromRaw] = await Promise.all([run(request), runRaw(request)])
      sources.add(fromRollups.meta?.source)
      expect(fromRaw.meta?.source).toBe('raw')
      expectSame(request, fromRollups, fromRaw)
    }
    await holds(question, isEqual, 100)
    expect(sources).toEqual(new Set(['rollup', 'mixed', 'raw']))
  })

  it('equals the answer from raw rows in the daily report', async () => {
    const metrics = [
      ['events', { agg: 'count', property: '' }],
      ['users', { agg: 'uniques', property: '' }],
      ['avg_response_ms', { agg: 'avg', property: 'properties.duration_ms' }],
    ] as const
    const isEqual = async ({ from, to }: { from: Date; to: Date }) => {
      const report = await run(queryOf({ kind: 'daily', metric: undefined, from, to }))
      const days = {
        from: new Date(Math.floor(from.getTime() / DAY) * DAY),
        to: new Date(Math.ceil(to.getTime() / DAY) * DAY),
      }
      for (const [name, metric] of metrics) {
        const request = queryOf({ ...days, interval: '1d', metric })
        const data = report.data.map(({ time, values }) => ({ time: time ?? '', value: values?.[name] ?? null }))
        const raw = await runRaw(request)
        const plain = raw.data.map(({ time, value }) => ({ time: time ?? '', value }))
        expectSame(request, { ...report, data }, { ...raw, data: plain })
      }
    }
    await holds(reportRange, isEqual, 10)
  })

  it('equals the answer from raw rows in buckets of minutes: packed ones, unpacked ones, and ones packed before a late event', async () => {
    const isEqual = async (request: RunQueryRequest) => {
      const [fromRollups, fromRaw] = await Promise.all([run(request), runRaw(request)])
      expectSame(request, fromRollups, fromRaw)
    }
    await holds(minuteQuestion, isEqual, 20)
  })

  it('counts every event by name without a definition', async () => {
    const range = { from: new Date(START), to: new Date(START + DAYS * DAY) }
    const answer = await run(queryOf({ kind: 'top', groupBy: ['event'], ...range }))
    const expected = ['Flight', 'Login', 'Search'].map(
      (name) => [name, events.filter(({ event }) => event === name).length] as const,
    )
    expect(new Map(answer.data.map(({ group, value }) => [group?.event, value]))).toEqual(new Map(expected))
    expect(answer.meta?.source).toBe('rollup')
  })

  it('uses raw rows for the time before a definition was active', async () => {
    const range = { from: new Date(START), to: new Date(START + DAYS * DAY) }
    const answer = await run(queryOf({ kind: 'breakdown', groupBy: ['properties.country'], ...range }))
    const total = answer.data.reduce((sum, { value }) => sum + (value ?? 0), 0)
    expect(total).toBe(events.length)
    expect(answer.meta?.source).toBe('mixed')
  })
})
