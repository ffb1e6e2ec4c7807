// npm run bench -- footprint: memory of the idle stack, and how long a start takes; see README.md beside this file.
import { execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { removeTemporary, temporaryDirectory } from '@millrace/local-stack'
import { describeMachine } from '../lib/machine.js'
import { ROOT } from '../lib/repository.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { commandLine, processFigures } from '../load/process-figures.js'

/** CI fails when the figure lies more than this above the recorded one. */
const GROWTH_MAX = 0.15
/** The median is that of this number of samples, which begin when the total falls by no more than this share from one such number of samples to the next. */
const SAMPLES = 10
const FALL_MAX = 0.01
const SAMPLES_MAX = 120
const RECORDED = join(ROOT, 'bench/footprint/recorded.json')

interface ProgramMemory {
  name: string
  rssMib: number
  pssMib: number
  processes: number
}

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    'fresh-clone': { type: 'boolean', default: false },
    'idle-seconds': { type: 'string', default: '20' },
    seconds: { type: 'string' },
  },
})
const idleMs = Number(values.seconds ?? values['idle-seconds']) * 1000

const dataDir = temporaryDirectory('millrace-footprint-')
const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const starts: Record<string, number> = {}
let processes: ProgramMemory[]
try {
  if (values['fresh-clone']) starts.fresh_clone_start_s = await timeFreshClone()
  const first = await startByNpm(ROOT, dataDir)
  starts.empty_data_start_s = first.seconds
  await first.stop()
  const second = await startByNpm(ROOT, dataDir)
  starts.warm_start_s = second.seconds
  await delay(idleMs)
  processes = await measure(second.pid)
  await second.stop()
} finally {
  removeTemporary(dataDir)
}
printTable(
  processes.map((one) => ({
    process: one.name,
    pss_mib: round(one.pssMib, 1),
    rss_mib: round(one.rssMib, 1),
    processes: one.processes,
  })),
)
const total = (key: 'pssMib' | 'rssMib') => tenths(processes.reduce((sum, one) => sum + one[key], 0))
const result = {
  total_pss_mib: total('pssMib'),
  total_rss_mib: total('rssMib'),
  ...starts,
  pss_mib_by_process: Object.fromEntries(processes.map((one) => [one.name, round(one.pssMib, 1)])),
}
if (values.record)
  writeFileSync(
    RECORDED,
    `${JSON.stringify({ total_pss_mib: result.total_pss_mib, at: new Date().toISOString(), machine }, null, 2)}\n`,
  )
if (values.check) checkAgainstRecorded()
writeResult('footprint', { machine, result })

function checkAgainstRecorded(): void {
  const { total_pss_mib: recorded } = JSON.parse(readFileSync(RECORDED, 'utf8')) as { total_pss_mib: number }
  const limit = tenths(recorded * (1 + GROWTH_MAX))
  const isWithin = result.total_pss_mib <= limit
  say(
    `${isWithin ? 'within' : 'FAULT above'} the budget: ${result.total_pss_mib} MiB, recorded ${recorded} MiB, limit ${limit} MiB`,
  )
  process.exitCode = isWithin ? 0 : 1
}

function tenths(value: number): number {
  return Number(value.toFixed(1))
}

/**
 * The median of the last samples, one a second, from when the total has stopped falling: services give memory back a few seconds after their start, and later on
 * a busy machine.
 */
async function measure(pid: number): Promise<ProgramMemory[]> {
  const samples: ProgramMemory[][] = []
  while (samples.length < SAMPLES_MAX && !isSteady(samples.map(sumOfPss))) {
    samples.push(programs(pid))
    await delay(1000)
  }
  const last = samples.slice(-SAMPLES).sort((a, b) => sumOfPss(a) - sumOfPss(b))
  say(`memory was sampled for ${samples.length} s; total of the last ${SAMPLES} samples: ${describeRange(last)}`)
  return last[Math.floor(last.length / 2)] ?? []
}

/** Whether the lowest total of the last samples is hardly below the lowest one of as many samples before them. */
function isSteady(totals: readonly number[]): boolean {
  if (totals.length < 2 * SAMPLES) return false
  const before = Math.min(...totals.slice(-2 * SAMPLES, -SAMPLES))
  return Math.min(...totals.slice(-SAMPLES)) > before * (1 - FALL_MAX)
}

function sumOfPss(sample: readonly ProgramMemory[]): number {
  return sample.reduce((total, one) => total + one.pssMib, 0)
}

function describeRange(sorted: readonly ProgramMemory[][]): string {
  return `${sumOfPss(sorted.at(0) ?? []).toFixed(1)} to ${sumOfPss(sorted.at(-1) ?? []).toFixed(1)} MiB`
}

/** The supervising process, and each program below it with all its own children. */
function programs(npmPid: number): ProgramMemory[] {
  const supervisor = findSupervisor(npmPid)
  const below = childrenOf(supervisor).map((pid) => ({ name: programName(pid), ...processFigures(pid) }))
  const own = processFigures(supervisor)
  const rest = (key: 'pssMib' | 'rssMib') => own[key] - below.reduce((sum, one) => sum + one[key], 0)
  return [{ name: 'npm start (supervisor)', rssMib: rest('rssMib'), pssMib: rest('pssMib'), processes: 1 }, ...below]
}

/** Skips npm itself and its shell, which lie between this process and the supervisor and are not part of the stack. */
function findSupervisor(pid: number): number {
  const [child, ...others] = childrenOf(pid)
  return child !== undefined && others.length === 0 ? findSupervisor(child) : pid
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && parentOf(entry) === pid)
    .map(Number)
}

function parentOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

function programName(pid: number): string {
  const line = commandLine(pid)
  const service = /apps\/([\w-]+)\/dist\/main\.js/.exec(line)?.[1]
  if (service) return service
  if (line.includes('postgres')) return 'PostgreSQL'
  // Redis overwrites its command line with its address; its data directory tells which of the two it is.
  return line.includes('redis') ? `Redis (${basename(readlinkSync(`/proc/${pid}/cwd`))})` : line.slice(0, 60)
}

interface NpmStart {
  pid: number
  seconds: number
  stop(): Promise<void>
}

/** `npm start` on free ports, timed from the command to the line that says it is ready. */
async function startByNpm(root: string, dataDirectory: string): Promise<NpmStart> {
  const startedAt = performance.now()
  const env = { ...process.env, MILLRACE_DATA_DIR: dataDirectory, MILLRACE_PORTS: 'free' }
  const child = spawn('npm', ['start'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const { pid } = child
  if (pid === undefined) throw new Error('npm cannot be started')
  let text = ''
  let ended = false
  const exited = new Promise((resolve) => child.once('exit', resolve)).then(() => {
    ended = true
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  while (!text.includes('Millrace is ready')) {
    if (ended) throw new Error(`npm start ended:\n${text}`)
    await delay(20)
  }
  const seconds = tenths((performance.now() - startedAt) / 1000)
  say(`npm start: ready after ${seconds} s`)
  const stop = async () => {
    process.kill(findSupervisor(pid), 'SIGTERM')
    await exited
  }
  return { pid, seconds, stop }
}

/** The first start of a fresh clone, without installed packages, compiled code or data. Packages come from the registry that npm is set to. */
async function timeFreshClone(): Promise<number> {
  const clone = temporaryDirectory('millrace-clone-')
  try {
    execFileSync('git', ['clone', '-q', ROOT, join(clone, 'millrace')])
    const started = await startByNpm(join(clone, 'millrace'), join(clone, 'data'))
    await started.stop()
    return started.seconds
  } finally {
    removeTemporary(clone)
  }
}
