// This program measures one Kafka client in one mode and then ends. Each measurement has its own process, so its memory and CPU time include no other client.
import { setTimeout as delay } from 'node:timers/promises'
import { ownCpuSeconds, printReport, readTask } from '../lib/json-process.js'
import { type Contestant, PARTITIONS, type Target } from './contestant.js'
import { CONTESTANTS } from './contestants.js'

/** Produce to one partition a call, produce to all partitions by each call, or fetch. */
export type Mode = 'produce 1' | 'produce 16' | 'fetch'

export interface MeasureTask extends Target {
  client: string
  mode: Mode
  frameBytes: number
  seconds: number
}

export interface MeasureReport {
  frames: number
  seconds: number
  cpuSeconds: number
  /** Of calls. */
  p50Ms: number
  p99Ms: number
  rssMib: number
}

const WARM_UP_CALLS = 200
/** Random, so that nothing on the way can make it smaller. */
const NUMBERS = { multiplier: 1_103_515_245, increment: 12_345 }

const task = readTask<MeasureTask>()
const open = CONTESTANTS[task.client]
if (open === undefined) throw new Error(`there is no client ${task.client}`)
const contestant = await open(task)
const call = task.mode === 'fetch' ? fetchCall(contestant) : produceCall(contestant, task)
await untilStored(call)
for (let i = 0; i < WARM_UP_CALLS; i++) await call(i)
printReport(await measure(call, task.seconds))
process.exit(0)

async function measure(work: (i: number) => Promise<number>, seconds: number): Promise<MeasureReport> {
  const latenciesMs: number[] = []
  const cpuBefore = ownCpuSeconds()
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1000
  let frames = 0
  for (let i = 0; performance.now() < endsAt; i++) {
    const calledAt = performance.now()
    frames += await work(i)
    latenciesMs.push(performance.now() - calledAt)
  }
  latenciesMs.sort((a, b) => a - b)
  return {
    frames,
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: ownCpuSeconds() - cpuBefore,
    p50Ms: latenciesMs[Math.floor(latenciesMs.length / 2)] ?? 0,
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0,
    rssMib: process.memoryUsage().rss / 1024 ** 2,
  }
}

function produceCall(client: Contestant, { mode, frameBytes }: MeasureTask): (i: number) => Promise<number> {
  const frame = randomBytes(frameBytes)
  const all = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, frame }))
  return async (i) => {
    const frames = mode === 'produce 16' ? all : [{ partition: i % PARTITIONS, frame }]
    await client.produce(frames)
    return frames.length
  }
}

function fetchCall(client: Contestant): () => Promise<number> {
  const offsets = new Array<number>(PARTITIONS).fill(0)
  return () => client.fetch(offsets)
}

/** A broker leads the partitions of a new topic a moment after it has said so. */
async function untilStored(work: (i: number) => Promise<number>): Promise<void> {
  for (let attempts = 100; ; attempts--) {
    try {
      await work(0)
      return
    } catch (error) {
      if (attempts === 0) throw error
      await delay(100)
    }
  }
}

function randomBytes(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = 1
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, NUMBERS.multiplier) + NUMBERS.increment) >>> 0
    bytes[i] = state >>> 16
  }
  return bytes
}
