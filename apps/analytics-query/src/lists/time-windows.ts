import type { TimeRange } from '../query/time-range.js'

const GROWTH = 4

/** A step of a walk backwards through time. */
export interface Window extends TimeRange {
  /** How wide the next one is if this one holds nothing worth a change, in ms. */
  readonly nextWidthMs: number
}

export interface WalkStart {
  readonly nowMs: number
  /** How wide the newest window is, in ms. */
  readonly widthMs: number
}

/** The newest window of a walk through `bounds`; what lies ahead of now is one window of its own. null when the bounds are empty. */
export function firstWindow(bounds: TimeRange, { nowMs, widthMs }: WalkStart): Window | null {
  if (bounds.fromMs >= bounds.toMs) return null
  const fromMs = Math.min(nowMs - widthMs, bounds.toMs - widthMs)
  return { fromMs: Math.max(bounds.fromMs, fromMs), toMs: bounds.toMs, nextWidthMs: widthMs }
}

/**
 * The window before the last one: as wide as the rows still missing need at the density found in it, between the same width and four times
 * it; not wider when the last one was slow to read. null at the start of the bounds.
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
