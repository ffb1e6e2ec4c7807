import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
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
import { createTenant, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

/** What has become of an event: how far the compactor has come with it, or that it is not rolled up at all. */
const STATES = [
  'in all windows',
  'in all windows',
  'in 1 minute',
  'up to 5 minutes',
  'up to 1 hour',
  'not rolled up',
] as const
type State = (typeof STATES)[number]
/** The level whose window waits for its recomputation. */
const DIRTY_LEVEL: Partial<Record<State, number>> = {
  'in 1 minute': 300,
  'up to 5 minutes': 3600,
  'up to 1 hour': 86_400,
}

describe('an answer from rollups while late events arrive', () => {
  let service: ServiceUnderTest
  let tenantId: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY })
    tenantId = await createTenant(service.database, 'acme')
    const next = random(23)
    const generated = generate(tenantId, 2500, next)
    // The last events of a partition are those that are not rolled up yet; only a few windows have late events, so that others can be used.
    const states = generated.map((event, index): State => {
      if (index >= 2450) return 'not rolled up'
      const isLate = Math.floor(event.timestampMs / 1000 / 3600) % 9 === 0
      return isLate ? (STATES[Math.floor(next() * (STATES.length - 1))] as State) : 'in all windows'
    })
    const inStates = (...wanted: State[]) => generated.filter((_, index) => wanted.includes(states[index] as State))
    await storeEvents(service.database, generated)
    await storeRollups(
      service.database,
      inStates('in all windows', 'in 1 minute', 'up to 5 minutes', 'up to 1 hour'),
      DEFINITIONS,
      {
        300: inStates('in all windows', 'up to 5 minutes', 'up to 1 hour'),
        3600: inStates('in all windows', 'up to 1 hour'),
        86400: inStates('in all windows'),
      },
    )
    await storeDirty(generated, states)
    await storeTail(generated, inStates('not rolled up'))
  })
  afterAll(() => service.close())

  async function storeDirty(events: readonly TestEvent[], states: readonly State[]): Promise<void> {
    for (const [index, event] of events.entries()) {
      const level = DIRTY_LEVEL[states[index] as State]
      if (level === undefined) continue
      const start = new Date(Math.floor(event.timestampMs / 1000 / level) * level * 1000).toISOString()
      await service.database.query(
        'insert into rollup_dirty (level_seconds, tenant_id, window_start) values ($1, $2, $3) on conflict do nothing',
        [level, tenantId, start],
      )
    }
  }

  async function storeTail(events: readonly TestEvent[], tail: readonly TestEvent[]): Promise<void> {
    for (let partition = 0; partition < 4; partition++) {
      const waiting = tail.filter((event) => event.partition === partition)
      const times = waiting.map(({ timestampMs }) => timestampMs)
      const next = events.filter((event) => event.partition === partition).length
      const bounds = { unflushedFromMs: Math.min(...times), unflushedToMs: Math.max(...times) }
      await storePartition(service.database, { partition, next, flushed: next - waiting.length, ...bounds })
    }
  }

  it('equals the answer from raw rows, for any query', async () => {
    const sources = new Map<string, number>()
    await fc.assert(
      fc.asyncProperty(question, async (request) => {
        const [fromRollups, fromRaw] = [
          await service.query(request, tenantId),
          await service.query(toRaw(request), tenantId),
        ]
        const source = fromRollups.meta?.source ?? ''
        sources.set(source, (sources.get(source) ?? 0) + 1)
        expect(fromRaw.meta?.source).toBe('raw')
        expectSame(request, fromRollups, fromRaw)
      }),
      { numRuns: 40, seed: 8 },
    )
    expect(sources.get('mixed') ?? 0).toBeGreaterThan(10)
  })

  it('equals the answer from raw rows in buckets of minutes', async () => {
    await fc.assert(
      fc.asyncProperty(minuteQuestion, async (request) => {
        const [fromRollups, fromRaw] = await Promise.all([
          service.query(request, tenantId),
          service.query(toRaw(request), tenantId),
        ])
        expectSame(request, fromRollups, fromRaw)
      }),
      { numRuns: 12, seed: 24 },
    )
  })
})
