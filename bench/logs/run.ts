// npm run bench -- logs: log lines acknowledged and searchable a second by each wire, and searches, beside VictoriaLogs; see README.md beside this file.
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { DAY_MS } from '@millrace/contracts'
import { removeTemporary, startStack, temporaryDirectory } from '@millrace/local-stack'
import { describeMachine } from '../lib/machine.js'
import { printTable, say, writeResult } from '../lib/results.js'
import { type LogsFigures, type LogsPlan, measureLogs } from './measure-logs.js'
import { searchTable, summarise, wireTable } from './summarise.js'
import { startVictoriaLogs } from './victoria-logs.js'
import { WIRE_NAMES, type WireName } from './wires.js'

/** All lines are older than today, and younger than what is kept. */
const START_DAYS_AGO = 40
/** Limits above what is sent, so that lines are counted and never refused. */
const SERVICE_SETTINGS = {
  LOG_RATE_LIMIT_LINES_PER_SECOND: '100000000',
  LOG_RATE_LIMIT_BURST_LINES: '200000000',
  FORWARD_HANDSHAKE: 'false',
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    lines: { type: 'string', default: '10000000' },
    wires: { type: 'string', default: WIRE_NAMES.join(',') },
    rates: { type: 'string', default: '20000,100000' },
    batch: { type: 'string', default: '500' },
    connections: { type: 'string', default: '16' },
    bodies: { type: 'string', default: '240' },
    seed: { type: 'string', default: '42' },
    rounds: { type: 'string', default: '30' },
    mixed: { type: 'boolean', default: false },
    'no-peer': { type: 'boolean', default: false },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const plan: LogsPlan = {
  wires: values.wires.split(',').map(toWireName) as [WireName, ...WireName[]],
  seconds: Number(values.seconds),
  linesPerRequest: Number(values.batch),
  connections: Number(values.connections),
  rates: values.rates.split(',').filter(Boolean).map(Number),
  lines: Number(values.lines),
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  bodies: Number(values.bodies),
  isMixed: values.mixed,
  startMs: (Math.floor(Date.now() / DAY_MS) - START_DAYS_AGO) * DAY_MS,
}
const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
say(`plan: ${JSON.stringify(plan)}`)
const peer = values['no-peer'] ? 'it was switched off by --no-peer' : await startVictoriaLogs()
if (typeof peer === 'string') say(`there are no figures of VictoriaLogs, and the ratios to it are null: ${peer}`)
const figures = await run()
printTable(wireTable(figures))
say('')
printTable(searchTable(figures))
const result = { ...summarise(figures, plan), ...(typeof peer === 'string' && { no_victorialogs: peer }) }
writeResult('logs', {
  machine,
  plan,
  ...figures,
  sustained: Object.fromEntries(figures.sustained),
  peers: Object.fromEntries(figures.peers),
  rates: Object.fromEntries(figures.rates),
  result,
})
process.exitCode = result.lost === 0 && result.repeated === 0 ? 0 : 1

async function run(): Promise<LogsFigures> {
  const dataDir = temporaryDirectory('millrace-bench-')
  try {
    const stack = await startStack({
      dataDir,
      ports: 'free',
      say,
      instances: { 'stream-consumer': 0, 'analytics-query': 0, 'health-aggregator': 0 },
      env: SERVICE_SETTINGS,
      ...(values.profile !== undefined && { nodeOptions: profiledBy(resolve(values.profile)) }),
    })
    void stack.failed.then((error) => say(`FAULT ${error.message}`))
    try {
      return await measureLogs({ stack, peer: typeof peer === 'string' ? undefined : peer }, plan)
    } finally {
      await stack.stop()
    }
  } finally {
    if (typeof peer !== 'string') await peer.stop()
    if (!values.keep) removeTemporary(dataDir)
  }
}

/** V8's processor profile of log-shipper, to open in a browser's developer tools; it costs a few per cent. */
function profiledBy(folder: string): Record<string, string[]> {
  return { 'log-shipper': ['--cpu-prof', `--cpu-prof-dir=${folder}`] }
}

function toWireName(name: string): WireName {
  const known = WIRE_NAMES.find((one) => one === name)
  if (known === undefined) throw new Error(`--wires must be some of ${WIRE_NAMES.join(', ')}, not ${name}`)
  return known
}
