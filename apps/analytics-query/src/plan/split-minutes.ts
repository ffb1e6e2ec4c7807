import { PACKED_LEVEL } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'
import { addRange, windowsBetween } from './cover-range.js'

const WINDOW_MS = PACKED_LEVEL.seconds * 1000

/**
 * Splits ranges of minutes into minutes that can be read from the 5-minute window around them (`packed`), and minutes
 * whose window is blocked (ascending starts) or deleted because it starts before `keptFromMs` (`single`). Windows that
 * new events still change are dirty and therefore blocked.
 */
export function splitMinutes(
  ranges: readonly TimeRange[],
  { blocked, keptFromMs = Number.NEGATIVE_INFINITY }: { blocked: readonly number[]; keptFromMs?: number | undefined },
): { packed: TimeRange[]; single: TimeRange[] } {
  const packed: TimeRange[] = []
  const single: TimeRange[] = []
  const firstKept = Math.ceil(keptFromMs / WINDOW_MS) * WINDOW_MS
  for (const { fromMs, toMs } of ranges) {
    let at = Math.min(toMs, Math.max(fromMs, firstKept))
    addRange(single, fromMs, at)
    for (const window of windowsBetween(blocked, Math.floor(at / WINDOW_MS) * WINDOW_MS, toMs)) {
      addRange(packed, at, window)
      const end = Math.min(toMs, window + WINDOW_MS)
      addRange(single, Math.max(at, window), end)
      at = Math.max(at, end)
    }
    addRange(packed, at, toMs)
  }
  return { packed, single }
}
