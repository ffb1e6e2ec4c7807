import type { LogRejection } from '../records/log-sink.js'

const SHOWN_MAX = 5

/** One text about the refused records of a request, for protocols that have room for one: how many they are, and why the first ones were refused. */
export function explainRejections(rejections: readonly LogRejection[]): string {
  const shown = rejections.slice(0, SHOWN_MAX).map(({ index, reason }) => `record ${index}: ${reason}`)
  const more = rejections.length > SHOWN_MAX ? [`and ${rejections.length - SHOWN_MAX} more`] : []
  return `${rejections.length} refused: ${[...shown, ...more].join('; ')}`
}
