// npm run chaos: kills, outages and frozen processes under load, at full length; see README.md in this folder.
import { parseArgs } from 'node:util'
import { removeTemporary, startKafkaCluster, temporaryDirectory } from '@millrace/local-stack'
import { findTestS3, startTestS3 } from '@millrace/testing'
import { createRandom } from '../lib/random.js'
import { parseStreamKind } from '../lib/stream-kind.js'
import { startOutageStack } from '../outages/outage-stack.js'
import { allCells, OutageRun } from '../outages/run-outages.js'
import { type BrokerReport, clusterScenarios, whyClusterInconclusive } from './broker-cluster.js'
import { watchBrokers } from './broker-watch.js'
import { ChaosResult } from './chaos-result.js'
import { type ChaosRun, whyInconclusive } from './chaos-run.js'
import { chaosStackOptions, clusterStackOptions, recoveryStackOptions } from './chaos-stack.js'
import { runCrashMatrix, runUntilConclusive, VICTIMS, type Victim } from './crash-matrix.js'
import { runFrozenConsumer } from './frozen-consumer.js'
import { ObjectRounds, type ObjectRoundsOptions, whyObjectsInconclusive } from './objects/object-rounds.js'
import { cutOutage, downOutage, frozenOutage, type Outage, runOutage, runSpoolQuota } from './outages.js'
import { FILLED_WHILE_FROZEN, planRecovery, runRecovery } from './recovery.js'

const PARTS = {
  crash,
  postgres: () => onePart('postgres', (run) => outage(run, downOutage(postgresOf(run)))),
  stream: () => onePart('stream', (run) => outage(run, downOutage(run.stream))),
  'stream-frozen': () => onePart('stream-frozen', (run) => outage(run, frozenOutage(run.stream.server))),
  'stream-cut': cutStream,
  frozen,
  quota,
  outages,
  recovery,
  cluster,
  objects,
}
type Part = keyof typeof PARTS

const { values } = parseArgs({
  options: {
    stream: { type: 'string', default: 'redis' },
    rounds: { type: 'string' },
    'outage-seconds': { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    victims: { type: 'string', default: VICTIMS.join(',') },
    keep: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
})
const kind = parseStreamKind(values.stream)
const rounds = Number(values.rounds ?? 20)
/** Rounds of the part `objects`, which are shorter. */
const objectRounds = Number(values.rounds ?? 50)
const outageMs = Number(values['outage-seconds']) * 1000
const seed = Number(values.seed)
const parts = Object.keys(PARTS).filter((part) => kind === 'kafka' || part !== 'cluster') as Part[]

const CLUSTER_PLAN = { brokersInTurn: 3, controllerMoves: 3, allFrozenMs: 30_000 }

const say = (line: string) => process.stdout.write(`${new Date().toISOString().slice(11, 23)} ${line}\n`)
const result = new ChaosResult({ kind, seed, say, isKept: values.keep })

async function crash(): Promise<void> {
  const victims = values.victims.split(',') as Victim[]
  const verdict = await result.onStack('crash', chaosStackOptions({}), async (run) => {
    await runCrashMatrix(run, { rounds, victims })
    await runUntilConclusive(run)
  })
  const reason = verdict && whyInconclusive(verdict.provoked)
  result.demand(reason === undefined, `the crash matrix proves nothing: ${reason}`)
}

async function onePart(name: Part, work: (run: ChaosRun) => Promise<unknown>): Promise<void> {
  await result.onStack(name, chaosStackOptions({ spoolBytesMax: 1024 ** 3 }), work)
}

function postgresOf({ stack }: ChaosRun) {
  if (stack.postgres) return stack.postgres
  throw new Error('PostgreSQL cannot be taken down: the environment names one that this run did not start')
}

async function outage(run: ChaosRun, what: Outage): Promise<void> {
  const report = await runOutage(run, what, outageMs)
  result.findings[`while ${what.name}`] = report
  result.demand(
    report.acknowledged.every((batches) => batches > 0),
    `ingest stood still while ${what.name}`,
  )
  const bad = Object.keys(report.reads).filter((answer) => answer !== '200' && answer !== '503')
  result.demand(bad.length === 0, `reads answered ${bad.join(', ')} while ${what.name}`)
}

/** The network between the services and the server of the stream loses what one side sends. */
async function cutStream(): Promise<void> {
  await result.onProxiedStack('stream-cut', chaosStackOptions({ spoolBytesMax: 1024 ** 3 }), async (run, proxy) => {
    for (const lost of ['answers', 'requests'] as const)
      await outage(run, cutOutage(run.stream.server.name, proxy, lost))
    result.demand(proxy.torn > 0, 'no connection to the stream lost bytes')
  })
}

async function frozen(): Promise<void> {
  await result.onStack('frozen', chaosStackOptions({}), async (run) => {
    for (let round = 0; round < Math.max(1, Math.round(rounds / 5)); round++) {
      const { takenOver } = await runFrozenConsumer(run)
      result.demand(takenOver > 0, 'the frozen consumer lost no partition')
    }
  })
}

async function quota(): Promise<void> {
  await result.onStack('quota', chaosStackOptions({ spoolBytesMax: 16 * 1024 ** 2 }), async (run) => {
    const { refused, acknowledgedBefore } = await runSpoolQuota(run)
    result.demand(
      refused.status === 503 && (refused.retryAfterSeconds ?? 0) > 0,
      `a full spool answered ${JSON.stringify(refused)}`,
    )
    result.demand(acknowledgedBefore > 0, 'the gateway acknowledged nothing into its spool')
  })
}

async function outages(): Promise<void> {
  const stack = await startOutageStack(say, kind)
  try {
    const run = new OutageRun(stack, say)
    await run.warmUp()
    for (const cell of allCells(kind)) {
      const where = `${cell.dependencies.join(', ')} ${cell.fault}`
      result.faults.push(...(await run.run(cell)).map((fault) => `${where}: ${fault}`))
    }
    for (const server of stack.servers) result.faults.push(...(await run.restart(server)))
    result.findings.outages = { cells: allCells(kind).length }
  } finally {
    await stack.stop()
  }
}

async function recovery(): Promise<void> {
  await result.onStack('recovery', recoveryStackOptions(), async (run) => {
    const reports = [await runRecovery(run, FILLED_WHILE_FROZEN)]
    for (let round = 0; round < rounds; round++) {
      reports.push(await runRecovery(run, planRecovery(run.random)))
      const { faults } = await run.verify()
      if (faults.length > 0) throw new Error(`sequence ${round + 1}: ${faults.join('; ')}`)
    }
    result.findings.recovery_stored_after_ms_max = Math.max(...reports.map(({ storedAfterMs }) => storedAfterMs))
    result.findings.recovery_rejected_fills = reports.reduce((sum, { rejectedFills }) => sum + rejectedFills, 0)
  })
}

/** Three brokers: one after another is killed, frozen, restarted and replaced, and all are frozen at once. */
async function cluster(): Promise<void> {
  const brokers = await startKafkaCluster({ say })
  const reports: BrokerReport[] = []
  try {
    const verdict = await result.onStackWith('cluster', clusterStackOptions(brokers), async (run) => {
      const clusterRun = { run, cluster: brokers, watch: watchBrokers(brokers) }
      for (const scenario of clusterScenarios(CLUSTER_PLAN)) {
        say(`while ${scenario.name}:`)
        reports.push({ name: scenario.name, ...(await scenario.run(clusterRun)) })
        const { faults } = await run.verify()
        if (faults.length > 0) throw new Error(`while ${scenario.name}: ${faults.join('; ')}`)
      }
    })
    result.findings.brokers = reports
    const reason = verdict && whyClusterInconclusive(reports, verdict.provoked)
    result.demand(reason === undefined, `the run with three brokers proves nothing: ${reason}`)
  } finally {
    await brokers.stop()
  }
}

/** The object store: on an S3 server that is killed, frozen and restarted, and in a folder; the writers of both are killed and frozen. */
async function objects(): Promise<void> {
  const program = findTestS3()
  if (typeof program === 'string') result.faults.push(`objects on s3: there is no S3 server: ${program}`)
  else {
    const server = await startTestS3(program)
    const { url, credentials } = server
    try {
      await runObjects('s3', { target: { url, credentials }, server, faultsPerRound: 3 })
    } finally {
      await server.stop()
    }
  }
  const directory = temporaryDirectory('millrace-chaos-objects-')
  try {
    await runObjects('file', { target: { url: `file:${directory}` }, faultsPerRound: 2 })
  } finally {
    removeTemporary(directory)
  }
}

async function runObjects(
  name: 's3' | 'file',
  options: Pick<ObjectRoundsOptions, 'target' | 'server' | 'faultsPerRound'>,
): Promise<void> {
  const sayFor = (line: string) => say(`objects on ${name}: ${line}`)
  const run = new ObjectRounds({ ...options, random: createRandom(seed), freezeMsMax: 10_000, say: sayFor })
  try {
    for (let round = 0; round < objectRounds; round++) await run.round()
    const found = await run.finish()
    const { faults: own, ...counts } = found
    result.findings[`objects_${name}`] = counts
    result.faults.push(...own.map((fault) => `objects on ${name}: ${fault}`))
    const reason = whyObjectsInconclusive(found, options.server !== undefined)
    result.demand(reason === undefined, `the rounds on objects (${name}) prove nothing: ${reason}`)
  } finally {
    await run.stop()
  }
}

say(`seed ${seed}: --seed ${seed} repeats the choice of moments and victims`)
const chosen = values.only?.split(',') ?? parts
const unknown = chosen.filter((part) => !parts.includes(part as Part))
if (unknown.length > 0) throw new Error(`--only names ${unknown.join(', ')}; the parts are ${parts.join(', ')}`)
for (const part of parts) if (chosen.includes(part)) await PARTS[part]()
for (const fault of result.faults) say(`FAULT ${fault}`)
const { faults, findings } = result
const summary = { stream: kind, seed, rounds, outage_seconds: outageMs / 1000, faults, ...findings }
process.stdout.write(`RESULT ${JSON.stringify(summary)}\n`)
process.exitCode = faults.length === 0 ? 0 : 1
