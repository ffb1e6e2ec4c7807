// npm run chaos: kills, outages and a frozen consumer under load, in full length; see README.md beside this file.
import { renameSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { removeTemporary, startStack, temporaryDirectory } from '@millrace/local-stack'
import {
  ChaosRun,
  chaosStackOptions,
  findQuiet,
  runCrashMatrix,
  runFrozenConsumer,
  runOutage,
  runSpoolQuota,
  runUntilLoud,
  VICTIMS,
} from '../dist/chaos/index.js'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    'outage-seconds': { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    victims: { type: 'string', default: VICTIMS.join(',') },
    keep: { type: 'boolean', default: false },
    only: { type: 'string', default: 'crash,postgres,redis,frozen,quota' },
  },
})
const rounds = Number(values.rounds)
const outageMs = Number(values['outage-seconds']) * 1000
const seed = Number(values.seed)
const only = new Set(values.only.split(','))

const say = (line) => process.stdout.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`)
const result = { seed, rounds, outage_seconds: outageMs / 1000, faults: /** @type {string[]} */ ([]) }

/** Runs scenarios on a stack of their own and adds what they found to the result. */
async function onStack(name, settings, scenarios) {
  const dataDir = temporaryDirectory('millrace-chaos-')
  const stack = await startStack({ dataDir, ports: 'free', say, walSegments: 0, ...chaosStackOptions(settings) })
  try {
    const run = new ChaosRun({ stack, seed, say })
    await scenarios(run)
    const verdict = await run.verify()
    result[name] = {
      provoked: verdict.provoked,
      statuses: verdict.statuses,
      ledger: verdict.ledger,
      events: verdict.events,
    }
    result.faults.push(...verdict.faults.map((fault) => `${name}: ${fault}`))
    say(`${name}: provoked ${JSON.stringify(verdict.provoked)}`)
    say(`${name}: ledger ${JSON.stringify(verdict.ledger)}`)
    say(
      `${name}: ${verdict.faults.length === 0 ? 'every acknowledged event is stored once and in order' : verdict.faults.join('; ')}`,
    )
    return verdict
  } catch (error) {
    result.faults.push(`${name}: ${error.message}`)
    return undefined
  } finally {
    await stack.stop()
    if (result.faults.length === 0 && !values.keep) removeTemporary(dataDir)
    else say(`data and logs are kept in ${keepAside(dataDir)}`)
  }
}

/** Under another name, or the next start would clear it up as something left behind. */
function keepAside(dataDir) {
  const kept = `${dataDir}-kept`
  renameSync(dataDir, kept)
  return kept
}

/** Notes what must hold besides the balance. */
function demand(isTrue, fault) {
  if (!isTrue) result.faults.push(fault)
}

async function outages(run) {
  for (const what of ['postgres', 'redis'].filter((name) => only.has(name))) {
    const report = await runOutage(run, what, outageMs)
    result[`${what}_outage`] = report
    demand(
      report.acknowledged.every((batches) => batches > 0),
      `${what} down: ingest stood still`,
    )
    const bad = Object.keys(report.reads).filter((answer) => answer !== '200' && answer !== '503')
    demand(bad.length === 0, `${what} down: reads answered ${bad.join(', ')}`)
  }
}

say(`seed ${seed}: --seed ${seed} repeats the choice of instants and victims`)
if (only.has('crash')) {
  const victims = values.victims.split(',')
  const verdict = await onStack('crash', {}, async (run) => {
    await runCrashMatrix(run, { rounds, victims })
    await runUntilLoud(run)
  })
  const quiet = verdict && findQuiet(verdict.provoked)
  demand(!quiet, `the crash matrix proves nothing: ${quiet}`)
}
if (only.has('postgres') || only.has('redis')) await onStack('outages', { spoolBytesMax: 1024 ** 3 }, outages)
if (only.has('frozen')) {
  await onStack('frozen', {}, async (run) => {
    for (let round = 0; round < Math.max(1, Math.round(rounds / 5)); round++) {
      const { takenOver } = await runFrozenConsumer(run)
      demand(takenOver > 0, 'the frozen consumer lost no partition')
    }
  })
}
if (only.has('quota')) {
  await onStack('quota', { spoolBytesMax: 16 * 1024 ** 2 }, async (run) => {
    const { refused, acknowledgedBefore } = await runSpoolQuota(run)
    demand(refused.status === 503 && refused.retryAfterSeconds > 0, `a full spool answered ${JSON.stringify(refused)}`)
    demand(acknowledgedBefore > 0, 'the spool took nothing')
  })
}
for (const fault of result.faults) say(`FAULT ${fault}`)
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
process.exitCode = result.faults.length === 0 ? 0 : 1
