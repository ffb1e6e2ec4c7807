import { errors } from '../errors.js'

const DAY = 86_400_000
const WINDOW_MAX = 366 * DAY

/** Milliseconds; 0 is the default. @throws INVALID_WINDOW */
export function parseWindow(windowMs: bigint, defaultMs: number): number {
  const ms = Number(windowMs)
  if (ms <= WINDOW_MAX) return ms === 0 ? defaultMs : ms
  throw errors.INVALID_WINDOW({ message: `the window is ${Math.floor(ms / DAY)} days, at most 366 are allowed` })
}
