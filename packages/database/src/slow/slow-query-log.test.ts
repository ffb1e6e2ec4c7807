import { describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { databaseErrors } from '../errors.js'
import { parsePlan } from '../plan/plan-node.js'
import type { FinishedRun } from '../session.js'
import type { Step } from '../statement.js'
import { PlanReader } from './plan-reader.js'
import { SlowQueryLog } from './slow-query-log.js'

const MINUTE = 60_000

function runOf(text: string, fields: Partial<FinishedRun> = {}): FinishedRun {
  return { steps: [{ text }], setting: [], durationMs: 150, rows: 3, error: undefined, ...fields }
}

/** A log with a clock that the test turns, and its lines. */
function createLog({ plan }: { plan?: (run: FinishedRun) => Promise<string | undefined> } = {}) {
  const lines: Record<string, unknown>[] = []
  const clock = { now: 0 }
  const logger = { ...silentLogger, warn: (_message: string, fields = {}) => void lines.push(fields) }
  return { log: new SlowQueryLog({ logger, plan, now: () => clock.now }), lines, clock }
}

describe('the slow query log', () => {
  it('writes a slow statement at once, and then one line a minute with the number of omitted runs', () => {
    const { log, lines, clock } = createLog()
    for (let i = 0; i < 1000; i++) log.note(runOf(`select ${i}`, { durationMs: 100 + i }))
    expect(lines).toEqual([{ statements: ['select ?'], duration_ms: 100, rows: 3 }])
    clock.now = MINUTE
    log.note(runOf('select 7', { durationMs: 200 }))
    expect(lines[1]).toEqual({
      statements: ['select ?'],
      duration_ms: 200,
      rows: 3,
      suppressed: 999,
      suppressed_max_ms: 1099,
    })
    clock.now = 2 * MINUTE
    log.note(runOf('select 7'))
    expect(lines[2]).not.toHaveProperty('suppressed')
  })

  it('treats statements that differ only in the number of parameters as one', () => {
    const { log, lines } = createLog()
    log.note(runOf('select * from t where a in ($1, $2)'))
    log.note(runOf('select * from t where a in ($1, $2, $3)'))
    log.note(runOf('select * from t where b in ($1, $2)'))
    expect(lines).toHaveLength(2)
  })

  it('keeps a bounded number of statements', () => {
    const { log, lines } = createLog()
    for (let i = 0; i < 2000; i++) log.note(runOf(`select a${i}`))
    log.note(runOf('select a1999'))
    expect(lines).toHaveLength(2000)
    log.note(runOf('select a0'))
    expect(lines).toHaveLength(2001)
  })

  it('reads the plan of a statement at most every ten minutes, and earlier when it got none', async () => {
    const asked: number[] = []
    const { log, lines, clock } = createLog({
      plan: async () => {
        asked.push(clock.now / MINUTE)
        return asked.length === 1 ? undefined : 'Seq Scan'
      },
    })
    for (let minute = 0; minute < 15; minute++) {
      clock.now = minute * MINUTE
      log.note(runOf('select 1'))
      // A line is written once its plan is there.
      for (let turns = 0; lines.length <= minute && turns < 1000; turns++) await Promise.resolve()
    }
    expect(asked).toEqual([0, 1, 11])
    expect(lines.flatMap((line, minute) => ('plan' in line ? [minute] : []))).toEqual([1, 11])
  })

  it('writes the error code of a statement that failed', () => {
    const { log, lines } = createLog()
    log.note(runOf('select 1', { error: databaseErrors.DATABASE_TIMEOUT(), rows: 0 }))
    expect(lines).toEqual([{ statements: ['select ?'], duration_ms: 150, rows: 0, code: 'DATABASE_TIMEOUT' }])
  })
})

describe('the plan of a slow round trip', () => {
  const planOf = (cost: number) =>
    parsePlan([{ Plan: { 'Node Type': 'Seq Scan', 'Relation Name': 't', 'Total Cost': cost, 'Plan Rows': 1 } }])

  it('is that of its most expensive statement, and is read one at a time and at most once a second', async () => {
    const clock = { now: 0 }
    const gates: (() => void)[] = []
    const costs: Record<string, number> = { 'select 1': 10, 'select 2': 99, 'select 3': 20 }
    const reader = new PlanReader({
      readPlan: async ({ text }) => {
        await new Promise<void>((resolve) => gates.push(resolve))
        return planOf(costs[text] ?? 0)
      },
      now: () => clock.now,
    })
    const open = async () => {
      while (gates.length === 0) await Promise.resolve()
      gates.shift()?.()
    }
    const copy: Step = { copy: { table: 't', columns: [] }, chunks: [] }
    const steps: Step[] = [{ text: 'begin' }, copy, { text: 'select 1' }, { text: 'select 2' }, { text: 'select 3' }]
    const first = reader.plan(runOf('', { steps }))
    clock.now = 5_000
    expect(await reader.plan(runOf('select 1'))).toBeUndefined()
    for (let i = 0; i < 3; i++) await open()
    expect(await first).toBe('Seq Scan on t rows=1 cost=99')
    const second = reader.plan(runOf('select 1'))
    await open()
    expect(await second).toBe('Seq Scan on t rows=1 cost=10')
    clock.now = 5_999
    expect(await reader.plan(runOf('select 1'))).toBeUndefined()
  })

  it('is left out when no statement has one or the server refuses it', async () => {
    const reader = new PlanReader({ readPlan: () => Promise.reject(new Error('gone')), now: () => 0 })
    expect(await reader.plan(runOf('create table t ()'))).toBeUndefined()
    expect(await reader.plan(runOf('select 1'))).toBeUndefined()
  })
})
