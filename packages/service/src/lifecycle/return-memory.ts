import { performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** What the decision to collect depends on. */
export interface ReturnMemoryDeps {
  /** The share of time that the event loop was busy since the last call, from 0 to 1. */
  readonly busyShare: () => number
  /** Memory that V8 holds for its young generation, in bytes. */
  readonly youngBytes: () => number
  /** Runs a full garbage collection. */
  readonly collect: () => void
}

/** A process whose event loop is busy for a smaller share of the time is idle. */
const BUSY_SHARE_MAX = 0.1
/** V8 begins with 1 MiB, and the largest size is 32 MiB. A size up to this one is not worth a pause of 20 to 50 ms. */
const YOUNG_BYTES_MAX = 8 * 1024 * 1024
/** Calls that are left out after collections without effect: 64 with a call every 5 s are more than 5 minutes. */
const SKIPPED_CALLS_MAX = 64

/**
 * Returns a function to call every few seconds. When the process was idle since the last call and V8 holds much memory for its young generation, it runs a full
 * collection, after which V8 gives this memory back to the operating system.
 *
 * V8 enlarges the young generation to 32 MiB while a service loads its modules, and makes it smaller only in a full collection at a time of little
 * allocation, which an idle process may not need for hours. Under load it grows back within a few young collections. A collection without effect
 * (the process allocates too much) is repeated less and less often.
 */
export function createReturnMemory({ busyShare, youngBytes, collect }: ReturnMemoryDeps): () => void {
  let skipped = 0
  let skips = 0
  return () => {
    const isIdle = busyShare() < BUSY_SHARE_MAX
    if (!isIdle || youngBytes() <= YOUNG_BYTES_MAX) return
    if (skipped++ < skips) return
    skipped = 0
    collect()
    skips = youngBytes() <= YOUNG_BYTES_MAX ? 0 : Math.min(Math.max(1, 2 * skips), SKIPPED_CALLS_MAX)
  }
}

/** The event loop and V8's heap of this process. */
export function processMemory(): ReturnMemoryDeps {
  let last = performance.eventLoopUtilization()
  let gc: (() => void) | undefined
  return {
    busyShare: () => {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, last)
      last = now
      return utilization
    },
    youngBytes: () =>
      getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.physical_space_size ?? 0,
    collect: () => {
      if (gc === undefined) {
        setFlagsFromString('--expose-gc')
        gc = runInNewContext('gc') as () => void
      }
      gc()
    },
  }
}
