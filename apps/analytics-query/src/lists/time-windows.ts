import type { TimeRange } from '../query/time-range.js'

const GROWTH = 4

/** A window of time; the list of events is read window by window, backwards. */
export interface Window extends TimeRange {
  /** Width of the next window, before it is adapted to what this one holds, in ms. */
  readonly nextWidthMs: number
}

export interface WalkStart {
  readonly nowMs: number
  /** Width of the newest window, in ms. */
  readonly widthMs: number
}

/** The newest window in `bounds`, which includes all future times. Null when the bounds are empty. */
export function firstWindow(bounds: TimeRange, { nowMs, widthMs }: WalkStart): Window | null {
  if (bounds.fromMs >= bounds.toMs) return null
  const fromMs = Math.min(nowMs - widthMs, bounds.toMs - widthMs)
  return { fromMs: Math.max(bounds.fromMs, fromMs), toMs: bounds.toMs, nextWidthMs: widthMs }
}

/**
 * The window before the last one. It is as wide as the missing rows need at the density of the last window, but at
 * least as wide as the last one and at most four times as wide; not wider when the last one was slow to read. Null at
 * the start of the bounds.
 */
export function nextWindow(
  last: Window,
  bounds: TimeRange,
  rows: { readonly foundInLast: number; readonly missing: number; readonly isSlow?: boolean },
): Window | null {
  if (last.fromMs <= bounds.fromMs) return null
  const growth = rows.isSlow === true ? 1 : Math.min(GROWTH, Math.max(1, rows.missing / rows.foundInLast))
  const nextWidthMs = Math.round(last.nextWidthMs * growth)
  return { fromMs: Math.max(bounds.fromMs, last.fromMs - nextWidthMs), toMs: last.fromMs, nextWidthMs }
}
