// This program measures one contestant in one mode and then ends. Each measurement has its own process, so its memory and CPU time include no other one.
import { ownCpuSeconds, printReport, readTask } from '../lib/json-process.js'
import type { Contestant, Target } from './contestant.js'
import { CONTESTANTS } from './contestants.js'

/** `put` and `put 8`: small objects, one or eight at a time. `upload` and `download`: large ones. `long upload`: one object, for its memory. */
export type Mode = 'put' | 'put 8' | 'upload' | 'download' | 'long upload'

export interface MeasureTask extends Target {
  contestant: string
  mode: Mode
  /** Of one object. */
  bytes: number
  /** Of all objects. */
  objects: number
}

export interface MeasureReport {
  objects: number
  seconds: number
  cpuSeconds: number
  /** Of one call. */
  p50Ms: number
  p99Ms: number
  /** Largest memory of the process until the end, and before the first call. */
  peakRssMib: number
  startRssMib: number
}

const PIECE = Buffer.allocUnsafeSlow(1024 ** 2)
for (let at = 0; at < PIECE.length; at += 4) PIECE.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at)

const task = readTask<MeasureTask>()
const open = CONTESTANTS[task.contestant]
if (open === undefined) throw new Error(`there is no contestant ${task.contestant}`)
const contestant = await open(task)
const { call, atOnce } = await prepare(contestant, task)
const startRssMib = process.memoryUsage().rss / 1024 ** 2
const latenciesMs: number[] = []
const cpuBefore = ownCpuSeconds()
const startedAt = performance.now()
let next = 0
const lanes = Array.from({ length: atOnce }, async () => {
  while (next < task.objects) {
    const calledAt = performance.now()
    await call(next++)
    latenciesMs.push(performance.now() - calledAt)
  }
})
await Promise.all(lanes)
const seconds = (performance.now() - startedAt) / 1000
const cpuSeconds = ownCpuSeconds() - cpuBefore
await contestant.close()
latenciesMs.sort((a, b) => a - b)
const report: MeasureReport = {
  objects: latenciesMs.length,
  seconds,
  cpuSeconds,
  p50Ms: latenciesMs[Math.floor(latenciesMs.length / 2)] ?? 0,
  p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0,
  peakRssMib: process.resourceUsage().maxRSS / 1024,
  startRssMib,
}
printReport(report)

async function prepare(
  store: Contestant,
  { mode, bytes }: MeasureTask,
): Promise<{ call: (index: number) => Promise<void>; atOnce: number }> {
  const key = (index: number) => `${mode.replaceAll(' ', '-')}/${index % 64}`
  // Connections are opened, and folders made, before the time is taken.
  await store.put('warm-up', PIECE)
  switch (mode) {
    case 'put':
    case 'put 8': {
      const body = PIECE.subarray(0, bytes)
      return { call: (index) => store.put(key(index), body), atOnce: mode === 'put' ? 1 : 8 }
    }
    case 'upload':
    case 'long upload':
      return { call: (index) => store.putStream(key(index), pieces(bytes)), atOnce: 1 }
    case 'download': {
      await store.putStream('download', pieces(bytes))
      const call = async () => {
        const read = await store.get('download')
        if (read !== bytes) throw new Error(`${read} of ${bytes} bytes were read`)
      }
      return { call, atOnce: 1 }
    }
  }
}

/** New memory for each piece, as from a file or the network. */
async function* pieces(bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; at += PIECE.length)
    yield Buffer.from(PIECE.subarray(0, Math.min(PIECE.length, bytes - at)))
}
