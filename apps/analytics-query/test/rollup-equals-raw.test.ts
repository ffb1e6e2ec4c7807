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
  START,
  toRaw,
} from './rollup-questions.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

describe('an answer from rollups', () => {
  let service: ServiceUnderTest
  let tenantId: number
  let events: TestEvent[]
  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY })
    tenantId = await createTenant(service.database, 'acme')
    events = generate(tenantId, 4000, random(7))
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, DEFINITIONS)
    for (let partition = 0; partition < 4; partition++)
      await storePartition(service.database, { partition, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  const run = (request: RunQueryRequest) => service.query(request, tenantId)
  const runRaw = (request: RunQueryRequest) => run(toRaw(request))

  it('equals the answer from raw rows, whatever is asked', async () => {
    const sources = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(question, async (request) => {
        const [fromRollups, fromRaw] = await Promise.all([run(request), runRaw(request)])
        const source = fromRollups.meta?.source ?? ''
        sources.set(source, (sources.get(source) ?? 0) + 1)
        expect(fromRaw.meta?.source).toBe('raw')
        expectSame(fromRollups, fromRaw)
      }),
      { numRuns: 80, seed: 42 },
    )
    expect(sources.get('rollup') ?? 0).toBeGreaterThan(5)
    expect(sources.get('mixed') ?? 0).toBeGreaterThan(5)
  })

  it('equals the answer from raw rows by minutes, be they packed, waiting for it or packed before a late event', async () => {
    await fc.assert(
      fc.asyncProperty(minuteQuestion, async (request) => {
        const [fromRollups, fromRaw] = await Promise.all([run(request), runRaw(request)])
        expectSame(fromRollups, fromRaw)
      }),
      { numRuns: 20, seed: 43 },
    )
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

  it('reads raw rows for what lies before a definition was active', async () => {
    const range = { from: new Date(START), to: new Date(START + DAYS * DAY) }
    const answer = await run(queryOf({ kind: 'breakdown', groupBy: ['properties.country'], ...range }))
    const total = answer.data.reduce((sum, { value }) => sum + (value ?? 0), 0)
    expect(total).toBe(events.length)
    expect(answer.meta?.source).toBe('mixed')
  })
})
