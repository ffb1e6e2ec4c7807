import type { ExactTime } from '../records/parse-time.js'

/** The time of an unsigned count of nanoseconds since 1970 in two halves of 32 bits. */
export function timeOfHalves(high: number, low: number): ExactTime {
  // 2^32 ns are 4,294 ms and 967,296 ns; no step leaves the range of exact integers.
  const rest = high * 967_296 + low
  return { ms: high * 4_294 + Math.floor(rest / 1e6), subNs: rest % 1e6 }
}
