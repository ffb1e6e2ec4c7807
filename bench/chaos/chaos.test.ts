import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Stack, Supervised } from '@millrace/local-stack'
import { startTestStack } from '@millrace/testing'
import pg from 'pg'
import { ChaosRun, whyInconclusive } from './chaos-run.js'
import { chaosStackOptions, SHORT_LOAD } from './chaos-stack.js'
import { runCrashMatrix, runUntilConclusive } from './crash-matrix.js'
import { downOutage, runOutage } from './outages.js'
import { declareStreamFaultTests } from './stream-fault-tests.js'

/*
 * The short form of `npm run chaos`: the same code with two rounds per process and a few seconds of outage, on one stack. The tests build on each other:
 * each of them checks everything that was sent since the start.
 */

const SPOOL_BYTES_MAX = 8 * 1024 * 1024
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31)

let stack: Stack
let run: ChaosRun

describe('a stack under load with two consumers', () => {
  beforeAll(async () => {
    stack = await startTestStack(chaosStackOptions({ spoolBytesMax: SPOOL_BYTES_MAX }))
    const say = (line: string) => void process.stderr.write(`chaos: ${line}\n`)
    say(`seed ${SEED}; CHAOS_SEED=${SEED} repeats the choice of moments and victims`)
    run = new ChaosRun({ stack, seed: SEED, say, load: SHORT_LOAD })
  })

  afterAll(async () => {
    await stack?.stop()
  })

  test("every acknowledged event is stored once and in its user's order, and the ledger balances, whichever process is killed at any moment", async () => {
    await runCrashMatrix(run, { rounds: 2 })
    await runUntilConclusive(run)
    const verdict = await run.verify()
    run.say(`provoked ${JSON.stringify(verdict.provoked)}; ledger ${JSON.stringify(verdict.ledger)}`)
    expect(verdict.faults).toEqual([])
    expect(verdict.events.acknowledged).toBeGreaterThan(0)
    expect(whyInconclusive(verdict.provoked)).toBeUndefined()
  }, 900_000)

  test('while PostgreSQL is down, the gateway accepts events, reads answer 200 or 503 with Retry-After, and no event is lost', async () => {
    const report = await runOutage(run, downOutage(stack.postgres as Supervised), 5_000)
    for (const batches of report.acknowledged) expect(batches).toBeGreaterThan(0)
    expect(Object.keys(report.reads).filter((answer) => answer !== '200' && answer !== '503')).toEqual([])
    expect((await run.verify()).faults).toEqual([])
  })

  declareStreamFaultTests({ server: 'Redis', claim: 'lease' }, () => run)

  test('the check reports a fault when a row is missing, doubled or not in the ledger', async () => {
    const client = new pg.Client({ connectionString: stack.databaseUrl })
    await client.connect()
    const someId = `(select message_id from events where position >= 0 and event <> '$probe' and user_id like 'user-%' limit 1)`
    await client.query('begin')
    await client.query(`create table kept as select * from events where message_id = ${someId}`)
    await client.query('delete from events where message_id = (select message_id from kept)')
    await client.query('commit')
    const missing = await run.verify({ patienceMs: 0 })
    expect(missing.events).toMatchObject({ missing: 1, doubled: 0 })
    expect(missing.faults).toHaveLength(2)
    await client.query('insert into events select * from kept union all select * from kept')
    const doubled = await run.verify({ patienceMs: 0 })
    expect(doubled.events).toMatchObject({ missing: 0, doubled: 1 })
    expect(doubled.faults).toHaveLength(2)
    await client.end()
  })
})
