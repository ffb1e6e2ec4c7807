// npm run chaos: kills, outages and a frozen consumer under load, at full length; see README.md in this folder.
import { renameSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { removeTemporary, type StackOptions, startStack, temporaryDirectory } from '@millrace/local-stack'
import { startOutageStack } from '../outages/outage-stack.js'
import { allCells, OutageRun } from '../outages/run-outages.js'
import { ChaosRun, type Verdict, whyInconclusive } from './chaos-run.js'
import { chaosStackOptions, recoveryStackOptions } from './chaos-stack.js'
import { runCrashMatrix, runUntilConclusive, VICTIMS, type Victim } from './crash-matrix.js'
import { runFrozenConsumer } from './frozen-consumer.js'
import { runOutage, runSpoolQuota } from './outages.js'
import { FILLED_WHILE_FROZEN, planRecovery, runRecovery, verifyRecovery } from './recovery.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    'outage-seconds': { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    victims: { type: 'string', default: VICTIMS.join(',') },
    keep: { type: 'boolean', default: false },
    only: { type: 'string', default: 'crash,postgres,redis,frozen,quota,outages,recovery' },
  },
})
const rounds = Number(values.rounds)
const outageMs = Number(values['outage-seconds']) * 1000
const seed = Number(values.seed)
const only = new Set(values.only.split(','))

const say = (line: string) => process.stdout.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`)
const faults: string[] = []
const findings: Record<string, unknown> = {}

/** Runs scenarios on a new stack, checks everything that was sent, and adds the findings to the result. */
async function onStack(
  name: string,
  options: Partial<StackOptions>,
  scenarios: (run: ChaosRun) => Promise<unknown>,
): Promise<Verdict | undefined> {
  const dataDir = temporaryDirectory('millrace-chaos-')
  const stack = await startStack({ dataDir, ports: 'free', say, walSegments: 0, ...options })
  try {
    const run = new ChaosRun({ stack, seed, say })
    await scenarios(run)
    const verdict = await run.verify()
    findings[name] = {
      provoked: verdict.provoked,
      statuses: verdict.statuses,
      ledger: verdict.ledger,
      events: verdict.events,
    }
    faults.push(...verdict.faults.map((fault) => `${name}: ${fault}`))
    say(`${name}: provoked ${JSON.stringify(verdict.provoked)}`)
    say(`${name}: ledger ${JSON.stringify(verdict.ledger)}`)
    say(
      `${name}: ${verdict.faults.length === 0 ? 'every acknowledged event is stored once and in order' : verdict.faults.join('; ')}`,
    )
    return verdict
  } catch (error) {
    faults.push(`${name}: ${(error as Error).message}`)
    return undefined
  } finally {
    await stack.stop()
    if (faults.length === 0 && !values.keep) removeTemporary(dataDir)
    else say(`data and logs are kept in ${keepAside(dataDir)}`)
  }
}

/** Renames the data directory, since the next start removes temporary directories of processes that are gone. */
function keepAside(dataDir: string): string {
  const kept = `${dataDir}-kept`
  renameSync(dataDir, kept)
  return kept
}

/** Notes a fault unless the condition holds. */
function demand(isTrue: boolean, fault: string): void {
  if (!isTrue) faults.push(fault)
}

async function outages(run: ChaosRun): Promise<void> {
  for (const what of (['postgres', 'redis'] as const).filter((name) => only.has(name))) {
    const report = await runOutage(run, what, outageMs)
    findings[`${what}_outage`] = report
    demand(
      report.acknowledged.every((batches) => batches > 0),
      `${what} down: ingest stood still`,
    )
    const bad = Object.keys(report.reads).filter((answer) => answer !== '200' && answer !== '503')
    demand(bad.length === 0, `${what} down: reads answered ${bad.join(', ')}`)
  }
}

say(`seed ${seed}: --seed ${seed} repeats the choice of moments and victims`)
if (only.has('crash')) {
  const victims = values.victims.split(',') as Victim[]
  const verdict = await onStack('crash', chaosStackOptions({}), async (run) => {
    await runCrashMatrix(run, { rounds, victims })
    await runUntilConclusive(run)
  })
  const reason = verdict && whyInconclusive(verdict.provoked)
  demand(reason === undefined, `the crash matrix proves nothing: ${reason}`)
}
if (only.has('postgres') || only.has('redis'))
  await onStack('outages', chaosStackOptions({ spoolBytesMax: 1024 ** 3 }), outages)
if (only.has('frozen')) {
  await onStack('frozen', chaosStackOptions({}), async (run) => {
    for (let round = 0; round < Math.max(1, Math.round(rounds / 5)); round++) {
      const { takenOver } = await runFrozenConsumer(run)
      demand(takenOver > 0, 'the frozen consumer lost no partition')
    }
  })
}
if (only.has('quota')) {
  await onStack('quota', chaosStackOptions({ spoolBytesMax: 16 * 1024 ** 2 }), async (run) => {
    const { refused, acknowledgedBefore } = await runSpoolQuota(run)
    demand(
      refused.status === 503 && (refused.retryAfterSeconds ?? 0) > 0,
      `a full spool answered ${JSON.stringify(refused)}`,
    )
    demand(acknowledgedBefore > 0, 'the gateway acknowledged nothing into its spool')
  })
}
if (only.has('outages')) {
  const outages = await startOutageStack(say)
  try {
    const run = new OutageRun(outages, say)
    await run.warmUp()
    for (const cell of allCells()) {
      const where = `${cell.dependencies.join(', ')} ${cell.fault}`
      faults.push(...(await run.run(cell)).map((fault) => `${where}: ${fault}`))
    }
    for (const server of ['PostgreSQL', 'stream Redis', 'cache Redis'] as const)
      faults.push(...(await run.restart(server)))
    findings.outages = { cells: allCells().length }
  } finally {
    await outages.stop()
  }
}
if (only.has('recovery')) {
  await onStack('recovery', recoveryStackOptions(), async (run) => {
    const reports = [await runRecovery(run, FILLED_WHILE_FROZEN)]
    for (let round = 0; round < rounds; round++) {
      reports.push(await runRecovery(run, planRecovery(run.random)))
      const { faults: found } = await verifyRecovery(run)
      if (found.length > 0) throw new Error(`sequence ${round + 1}: ${found.join('; ')}`)
    }
    findings.recovery_stored_after_ms_max = Math.max(...reports.map(({ storedAfterMs }) => storedAfterMs))
    findings.recovery_rejected_fills = reports.reduce((sum, { rejectedFills }) => sum + rejectedFills, 0)
  })
}
for (const fault of faults) say(`FAULT ${fault}`)
const result = { seed, rounds, outage_seconds: outageMs / 1000, faults, ...findings }
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
