import type { Stack } from '@millrace/local-stack'
import { runJsonProcess } from '../lib/json-process.js'
import { startMeter, type Usage } from '../lib/meter.js'
import { round, say } from '../lib/results.js'
import type { SendReport, SendTask } from './send-task.js'
import type { StoredLines } from './stored-lines.js'
import { countPeerLines, type VictoriaLogs } from './victoria-logs.js'
import { WIRES, type WireName } from './wires.js'

const SENDER = new URL('send.js', import.meta.url)
const PEER_WAIT_MS = 60_000

/** What all loads have in common. */
export interface LoadPlan {
  readonly seed: number
  readonly bodies: number
  readonly isMixed: boolean
  /** Time of line 0, ms since 1970. */
  readonly startMs: number
}

/** One load. */
export interface Load {
  readonly wire: WireName
  readonly linesPerRequest: number
  readonly connections: number
  readonly seconds: number
  readonly linesPerSecond?: number
  readonly linesMax?: number
}

/** What both servers report of a load. */
export type PhaseFigures = Awaited<ReturnType<MillracePhases['run']>>
export type PeerFigures = Awaited<ReturnType<PeerPhases['run']>>

/** Loads on log-shipper, one after the other. */
export class MillracePhases {
  readonly #stack: Stack
  readonly #stored: StoredLines
  readonly #plan: LoadPlan
  /** Acknowledged lines; their numbers are 0 to this one. */
  acknowledged = 0

  constructor(stack: Stack, stored: StoredLines, plan: LoadPlan) {
    this.#stack = stack
    this.#stored = stored
    this.#plan = plan
  }

  /** Lines a second are counted from the first request until the last acknowledged line can be found, or is acknowledged. */
  async run(name: string, load: Load) {
    const meter = startMeter(() => this.#stack.processes())
    const report = await this.#send(load)
    await this.#stored.wait('searchable', this.acknowledged)
    const wallSeconds = (Date.now() - report.startedAtMs) / 1000
    const usage = meter.read()
    const figures = { ...summarise(report, usage), name, searchable_per_s: round(report.lines / wallSeconds) }
    sayFigures(figures)
    return figures
  }

  async #send(load: Load): Promise<SendReport> {
    const service = this.#stack.services.find(({ instance }) => instance.entry.name === 'log-shipper')
    if (service === undefined) throw new Error('the stack has no log-shipper')
    const { httpPort, wirePorts } = service.instance
    const { isHttp, path } = WIRES[load.wire]
    const report = await send({
      ...this.#plan,
      ...taskOf(load),
      url: isHttp ? `http://127.0.0.1:${httpPort}` : `tcp://127.0.0.1:${wirePorts.FORWARD_PORT}`,
      path,
      key: this.#stack.writeKey,
      firstLine: this.acknowledged,
    })
    this.acknowledged += report.lines
    return report
  }
}

/** The same loads on VictoriaLogs. */
export class PeerPhases {
  readonly #server: VictoriaLogs
  readonly #plan: LoadPlan
  acknowledged = 0

  constructor(server: VictoriaLogs, plan: LoadPlan) {
    this.#server = server
    this.#plan = plan
  }

  async run(name: string, load: Load) {
    const { url } = this.#server
    const { peerPath } = WIRES[load.wire]
    if (peerPath === undefined) throw new Error(`VictoriaLogs does not take ${load.wire}`)
    const meter = startMeter(() => [this.#server])
    const task = { ...this.#plan, ...taskOf(load), url, path: peerPath, key: '', firstLine: this.acknowledged }
    const report = await send(task)
    this.acknowledged += report.lines
    await this.#waitUntilSearchable()
    const wallSeconds = (Date.now() - report.startedAtMs) / 1000
    const usage = meter.read()
    const figures = { ...summarise(report, usage), name, searchable_per_s: round(report.lines / wallSeconds) }
    sayFigures(figures)
    return figures
  }

  async #waitUntilSearchable(): Promise<void> {
    for (const startedAt = performance.now(); performance.now() - startedAt < PEER_WAIT_MS; ) {
      if ((await countPeerLines(this.#server.url)) >= this.acknowledged) return
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    say(`${this.#server.name} does not find all lines that it acknowledged`)
  }
}

function taskOf({ wire, linesPerRequest, connections, seconds, linesPerSecond, linesMax }: Load) {
  return { wire, linesPerRequest, connections, durationMs: seconds * 1000, linesPerSecond, linesMax }
}

function send(task: SendTask): Promise<SendReport> {
  return runJsonProcess<SendReport>(SENDER, task)
}

function summarise(report: SendReport, usage: Usage) {
  const { lines, bytes, acknowledged, cpuSeconds, retries } = report
  const usPerLine = (seconds: number) => round((seconds * 1e6) / lines, 2)
  const foreignSeconds = usage.machineBusySeconds - usage.stackCpuSeconds - cpuSeconds
  return {
    name: '',
    lines,
    bytes_per_line: round(bytes / lines, 1),
    acknowledged_per_s: round((lines * 1000) / (report.endedAtMs - report.startedAtMs)),
    searchable_per_s: undefined as number | undefined,
    acknowledged_p50_ms: acknowledged.p50_ms,
    acknowledged_p99_ms: acknowledged.p99_ms,
    cpu_us_per_line: usPerLine(usage.stackCpuSeconds),
    sender_cpu_us_per_line: usPerLine(cpuSeconds),
    foreign_cores: round(foreignSeconds / usage.seconds, 2),
    retries,
    processes: usage.each.map(({ name, cpuSeconds: used, rssMib }) => ({
      process: name,
      cpu_us_per_line: usPerLine(used),
      rss_mib: round(rssMib),
    })),
  }
}

function sayFigures(figures: ReturnType<typeof summarise>): void {
  const { processes } = figures
  say(
    `${figures.name}: ${figures.acknowledged_per_s} lines/s acknowledged, ${figures.searchable_per_s} searchable; p50 ${figures.acknowledged_p50_ms} ms, ` +
      `p99 ${figures.acknowledged_p99_ms} ms; ${figures.cpu_us_per_line} us of processor a line (${processes.map((one) => `${one.process} ${one.cpu_us_per_line}`).join(', ')}); ` +
      `sender ${figures.sender_cpu_us_per_line} us; ${figures.foreign_cores} cores used by others`,
  )
}
