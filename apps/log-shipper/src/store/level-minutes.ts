import { MINUTE_MS } from '@millrace/contracts'
import { LEVEL_NAMES, levelIndex } from '../records/severity.js'

/** How many lines of each level a minute has. */
export interface LevelMinute {
  /** Start of the minute, ms since 1970. */
  readonly minuteMs: number
  /** By `levelIndex`. */
  readonly counts: readonly number[]
}

const VARINT_BYTES_MAX = 8

/**
 * Counts lines by minute and level, in a few bytes: for each minute that has lines, in ascending order, the minutes since the one before it (of the first: since
 * 1970), a bit for each level that occurs, and the number of its lines; all as varints.
 */
export function encodeLevelMinutes(ms: ArrayLike<number>, severities: ArrayLike<number>): Buffer {
  const minutes = new Map<number, number[]>()
  for (let row = 0; row < ms.length; row++) {
    const minute = Math.floor((ms[row] as number) / MINUTE_MS)
    let counts = minutes.get(minute)
    if (counts === undefined) {
      counts = new Array<number>(LEVEL_NAMES.length).fill(0)
      minutes.set(minute, counts)
    }
    const level = levelIndex(severities[row] as number)
    counts[level] = (counts[level] as number) + 1
  }
  const values: number[] = []
  let before = 0
  for (const [minute, counts] of [...minutes].sort(([a], [b]) => a - b)) {
    values.push(
      minute - before,
      counts.reduce((mask, count, level) => mask | (count > 0 ? 1 << level : 0), 0),
      ...counts.filter((count) => count > 0),
    )
    before = minute
  }
  return encodeVarints(values)
}

/** @throws RangeError for bytes that `encodeLevelMinutes` cannot have written */
export function decodeLevelMinutes(bytes: Uint8Array): LevelMinute[] {
  const values = decodeVarints(bytes)
  const minutes: LevelMinute[] = []
  let minute = 0
  for (let at = 0; at < values.length; ) {
    minute += values[at++] as number
    const mask = values[at++] ?? 0
    if (mask === 0 || mask >= 1 << LEVEL_NAMES.length)
      throw new RangeError('the counts of a minute have no valid levels')
    const counts = LEVEL_NAMES.map((_, level) => (((mask >> level) & 1) === 1 ? (values[at++] ?? 0) : 0))
    if (at > values.length) throw new RangeError('the counts of a minute are missing')
    minutes.push({ minuteMs: minute * MINUTE_MS, counts })
  }
  return minutes
}

function encodeVarints(values: readonly number[]): Buffer {
  const bytes: number[] = []
  for (const value of values) {
    let left = value
    for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
    bytes.push(left)
  }
  return Buffer.from(bytes)
}

function decodeVarints(bytes: Uint8Array): number[] {
  const values: number[] = []
  let value = 0
  let factor = 1
  let length = 0
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor
    factor *= 0x80
    if (++length > VARINT_BYTES_MAX) throw new RangeError('a number has too many bytes')
    if (byte >= 0x80) continue
    values.push(value)
    value = 0
    factor = 1
    length = 0
  }
  if (length > 0) throw new RangeError('the last number has no end')
  return values
}
