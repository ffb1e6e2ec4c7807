import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { importInnerFile } from '../lib/repository.js'
import { round } from '../lib/results.js'

const PARTITIONS = 16
/** Ids of one partition in one batch, as at full load. */
const FRAME_IDS = 320
const ROUND_IDS = PARTITIONS * FRAME_IDS
const ROUNDS = 400
/** Looked through before every round, about what the rows of a batch are: no window has the caches to itself. */
const other = new Uint32Array((1536 * 1024) / 4)
const frames = Array.from({ length: PARTITIONS }, () => new Int32Array(2 * FRAME_IDS))
const isNew = new Uint8Array(FRAME_IDS)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The part of the consumer's HashWindow that is measured. */
interface HashWindow {
  readonly size: number
  add(hashes: Int32Array, nowMs: number, isNew: Uint8Array): number
  expire(nowMs: number): void
}

interface HashWindowModule {
  HashWindow: new (windowMs: number, phase: number) => HashWindow
}

export interface WindowFigures {
  ids: number
  window_ns: number | undefined
  window_ns_p10: number | undefined
  growing_ns: number | undefined
  bytes_per_id: number | undefined
}

interface WindowRun {
  ids: number
  windows: HashWindow[]
  nowMs: number
  fillNs: number
  bytes: number
  nanoseconds: number[]
}

/**
 * What an id costs the deduplication windows alone when they hold `sizes` ids: a new one in, the oldest one out. All sizes take turns in one process,
 * round by round, so that whatever else the machine does hits them alike.
 */
export async function measureWindows(sizes: number[]): Promise<WindowFigures[]> {
  const { HashWindow } = await importInnerFile<HashWindowModule>('apps/stream-consumer/dist/deduplicate/hash-window.js')
  const runs: WindowRun[] = []
  for (const ids of sizes) {
    collect()
    const bytesBefore = process.memoryUsage().arrayBuffers
    // Time goes by a millisecond an id, so a window of so many milliseconds holds as many ids.
    const windows = Array.from({ length: PARTITIONS }, (_, partition) => new HashWindow(ids, partition / PARTITIONS))
    const run: WindowRun = { ids, windows, nowMs: 0, fillNs: 0, bytes: 0, nanoseconds: [] }
    while (run.nowMs < ids) run.fillNs += playRound(run)
    while (run.nowMs < ids * 1.2) playRound(run)
    collect()
    run.bytes = process.memoryUsage().arrayBuffers - bytesBefore
    runs.push(run)
  }
  for (let turn = 0; turn < ROUNDS; turn++) for (const run of runs) run.nanoseconds.push(playRound(run) / ROUND_IDS)
  return runs.map(({ ids, windows, bytes, fillNs, nanoseconds }) => {
    const sorted = nanoseconds.toSorted((a, b) => a - b)
    const held = windows.reduce((sum, window) => sum + window.size, 0)
    return {
      ids,
      window_ns: round(sorted[ROUNDS / 2], 1),
      window_ns_p10: round(sorted[ROUNDS / 10], 1),
      growing_ns: round(fillNs / ids, 1),
      bytes_per_id: round(bytes / held, 1),
    }
  })
}

/** One batch: a frame of random ids for each partition. Returns the time it took in ns. */
function playRound(run: WindowRun): number {
  for (const frame of frames) crypto.getRandomValues(frame)
  for (let i = 0; i < other.length; i += 16) other[i] = (other[i] ?? 0) + 1
  run.nowMs += ROUND_IDS
  const startedAt = process.hrtime.bigint()
  for (const [partition, window] of run.windows.entries()) {
    window.expire(run.nowMs)
    window.add(frames[partition] as Int32Array, run.nowMs, isNew)
  }
  return Number(process.hrtime.bigint() - startedAt)
}
