import type { LogLine } from './log-batch.js'

/** What decides the order of a line. */
export type LogPlace = Pick<LogLine, 'timeMs' | 'timeSubNs' | 'partition' | 'ordinal'>

/** Orders lines from the oldest to the newest: by time, then by their place in the stream, so that no two are equal. */
export function compareLines(a: LogPlace, b: LogPlace): number {
  return a.timeMs - b.timeMs || a.timeSubNs - b.timeSubNs || a.partition - b.partition || a.ordinal - b.ordinal
}
