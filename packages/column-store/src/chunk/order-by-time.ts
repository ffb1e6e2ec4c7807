import type { RowOrder } from '../columns/row-order.js'
import type { TimeColumn } from '../columns/time-column.js'

/** All rows of some columns of times in the order of time; rows of equal time keep their order. */
export function orderByTime(columns: readonly TimeColumn[]): RowOrder {
  const count = columns.reduce((sum, { ms }) => sum + ms.length, 0)
  const ms = new Float64Array(count)
  const subNs = new Float64Array(count)
  const sources = new Uint32Array(count)
  const rows = new Uint32Array(count)
  let at = 0
  for (const [source, column] of columns.entries()) {
    ms.set(column.ms, at)
    subNs.set(column.subNs, at)
    for (let row = 0; row < column.ms.length; row++, at++) {
      sources[at] = source
      rows[at] = row
    }
  }
  const order = sortedPlaces(ms, subNs)
  return order === undefined ? { sources, rows } : { sources: pick(sources, order), rows: pick(rows, order) }
}

/** Undefined when the times ascend already. */
function sortedPlaces(ms: Float64Array, subNs: Float64Array): Uint32Array | undefined {
  if (isAscending(ms, subNs)) return undefined
  const count = ms.length
  const order = new Uint32Array(count)
  const keys = sortKeys(ms, subNs)
  if (keys !== undefined) {
    // Numbers without a comparison function are sorted natively, ten times as fast.
    keys.sort()
    for (let index = 0; index < count; index++) order[index] = (keys[index] as number) % count
    return order
  }
  for (let index = 0; index < count; index++) order[index] = index
  return order.sort(
    (a, b) => (ms[a] as number) - (ms[b] as number) || (subNs[a] as number) - (subNs[b] as number) || a - b,
  )
}

function isAscending(ms: Float64Array, subNs: Float64Array): boolean {
  for (let index = 1; index < ms.length; index++) {
    const step = (ms[index] as number) - (ms[index - 1] as number)
    if (step < 0 || (step === 0 && (subNs[index] as number) < (subNs[index - 1] as number))) return false
  }
  return true
}

/** One number for each row that holds its time and its place; undefined when the times lie too far apart for that to be exact. */
function sortKeys(ms: Float64Array, subNs: Float64Array): Float64Array | undefined {
  const count = ms.length
  let first = ms[0] as number
  let last = first
  for (const value of ms) {
    if (value < first) first = value
    if (value > last) last = value
  }
  if ((last - first + 1) * 1e6 * count > Number.MAX_SAFE_INTEGER) return undefined
  const keys = new Float64Array(count)
  for (let index = 0; index < count; index++)
    keys[index] = (((ms[index] as number) - first) * 1e6 + (subNs[index] as number)) * count + index
  return keys
}

function pick(values: Uint32Array, order: Uint32Array): Uint32Array {
  const picked = new Uint32Array(order.length)
  for (let index = 0; index < order.length; index++) picked[index] = values[order[index] as number] as number
  return picked
}
