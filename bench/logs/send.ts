// The sender as a process of its own, so that its processor time is not counted as that of the servers.
import { setTimeout as delay } from 'node:timers/promises'
import { ownCpuSeconds, printReport, readTask } from '../lib/json-process.js'
import { createLogCorpus, type LogLine } from '../lib/log-corpus.js'
import { Latencies } from '../load/latencies.js'
import { openLane } from './lanes.js'
import { type LineTime, timeOfLine, writeTime } from './line-times.js'
import type { PreparedBody } from './prepared-body.js'
import type { SendReport, SendTask } from './send-task.js'
import { WIRES } from './wires.js'

const task = readTask<SendTask>()
const { wire: wireName, linesPerRequest, connections, durationMs, linesPerSecond } = task
const wire = WIRES[wireName]
const bodies = prepareBodies()
const latencies = new Latencies()
let requests = 0
let retries = 0
const cpuBefore = ownCpuSeconds()
const startedAtMs = Date.now()
const startedAt = performance.now()
await Promise.all(Array.from({ length: connections }, () => runLane()))
const sentBytes = (bodies.reduce((sum, { bytes }) => sum + bytes.length, 0) / bodies.length) * requests
printReport({
  lines: requests * linesPerRequest,
  requests,
  bytes: sentBytes,
  acknowledged: latencies.summary(),
  startedAtMs,
  endedAtMs: Date.now(),
  cpuSeconds: ownCpuSeconds() - cpuBefore,
  retries,
} satisfies SendReport)

async function runLane(): Promise<void> {
  const lane = openLane(task)
  const intervalMs = linesPerSecond === undefined ? undefined : (linesPerRequest / linesPerSecond) * 1000
  const own = Buffer.allocUnsafe(Math.max(...bodies.map(({ bytes }) => bytes.length)))
  try {
    for (;;) {
      // Taken when it is sent, so that the numbers of acknowledged lines have no gaps.
      const request = requests
      const due = intervalMs === undefined ? performance.now() : startedAt + request * intervalMs
      if (due - startedAt >= durationMs || request * linesPerRequest >= (task.linesMax ?? Number.POSITIVE_INFINITY))
        return
      requests++
      const early = due - performance.now()
      if (early > 0) await delay(early)
      const body = stamp(request, own)
      while (!(await lane.send(body, linesPerRequest))) {
        retries++
        await delay(50)
      }
      latencies.add(performance.now() - due)
    }
  } finally {
    lane.close()
  }
}

/** The body of a request with the times of its lines. */
function stamp(request: number, into: Buffer): Buffer {
  const { bytes, times } = bodies[request % bodies.length] as PreparedBody
  bytes.copy(into)
  const time: LineTime = { ms: 0, subNs: 0 }
  const first = task.firstLine + request * linesPerRequest
  for (let index = 0; index < times.length; index++) {
    timeOfLine(task.startMs, first + index, time)
    writeTime(into, times[index] as number, { form: wire.timeForm, time })
  }
  return into.subarray(0, bytes.length)
}

/** Requests with lines of one service and host each, as an exporter or an agent in a container sends them, or of all services. */
function prepareBodies(): PreparedBody[] {
  const corpus = createLogCorpus(task.seed)
  const open = new Map<string, LogLine[]>()
  const prepared: PreparedBody[] = []
  while (prepared.length < task.bodies) {
    const line = corpus.next()
    const name = task.isMixed ? '' : line.service
    const lines = open.get(name) ?? []
    if (lines.length === 0) open.set(name, lines)
    lines.push(task.isMixed ? line : { ...line, host: lines[0]?.host ?? line.host })
    if (lines.length < linesPerRequest) continue
    open.delete(name)
    const body = wire.encode(lines)
    if (body.times.length !== linesPerRequest)
      throw new Error('a prepared request has another number of times than lines')
    prepared.push(body)
  }
  return prepared
}
