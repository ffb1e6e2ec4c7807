import { DAY_MS } from '@millrace/contracts'
import { errors } from '../errors.js'

const WINDOW_MAX = 366 * DAY_MS

/** Milliseconds; 0 is the default. @throws INVALID_WINDOW */
export function parseWindow(windowMs: bigint, defaultMs: number): number {
  const ms = Number(windowMs)
  if (ms <= WINDOW_MAX) return ms === 0 ? defaultMs : ms
  throw errors.INVALID_WINDOW({ message: `the window is ${Math.floor(ms / DAY_MS)} days, at most 366 are allowed` })
}
