/** [fromMs, toMs), in ms since 1970. */
export interface TimeRange {
  readonly fromMs: number
  readonly toMs: number
}
