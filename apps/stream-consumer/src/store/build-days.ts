import { DAY_MS, EVENT_COPY_COLUMNS } from '@millrace/contracts'
import { DOUBLES, type FrameView, TIMESTAMP_DOUBLE, WORD, WORDS } from './frame-view.js'
import type { DayRows, PreparedFrame } from './prepared-batch.js'
import type { RowBuffers } from './row-buffers.js'
import { orderRows } from './row-order.js'

/** Field count (2), partition (4 + 2), position (4 + 8). */
const PREFIX_BYTES = 20

interface Candidates {
  frameOf: Uint32Array
  indexOf: Uint32Array
}

/**
 * Lays out the rows of `candidates` by UTC day, in the order that PostgreSQL stores fastest, each with the fields
 * that the consumer adds.
 */
export function buildDays(frames: readonly PreparedFrame[], candidates: Candidates, buffers: RowBuffers): DayRows[] {
  const rows = candidates.indexOf.length
  if (rows === 0) return []
  const keys = readKeys(frames, candidates)
  const order = orderRows(rows, keys)
  const buffer = buffers.acquire(keys.bytes + rows * PREFIX_BYTES)
  const offsets = writeRows(buffer, order, frames, candidates)
  const days: DayRows[] = []
  for (let from = 0; from < rows; ) {
    const day = keys.days === null ? 0 : (keys.days[order[from] as number] as number)
    const to = keys.days === null ? rows : endOfDay(order, keys.days, from)
    days.push({
      dayMs: (keys.dayNumbers[day] as number) * DAY_MS,
      buffer,
      offsets: offsets.subarray(from, to + 1),
      origins: order.subarray(from, to),
    })
    from = to
  }
  return days
}

/** The end of the rows that are on the same day as row `from`. */
function endOfDay(order: Uint32Array, days: Uint16Array, from: number): number {
  const day = days[order[from] as number]
  let to = from + 1
  while (to < order.length && days[order[to] as number] === day) to++
  return to
}

interface Keys {
  users: Uint32Array
  tenants: Uint16Array | null
  days: Uint16Array | null
  dayNumbers: number[]
  bytes: number
}

function readKeys(frames: readonly PreparedFrame[], { frameOf, indexOf }: Candidates): Keys {
  const rows = indexOf.length
  const users = new Uint32Array(rows)
  const tenants = new Numbering(rows)
  const days = new Numbering(rows)
  let bytes = 0
  let frameIndex = -1
  let view = null as FrameView | null
  for (let row = 0; row < rows; row++) {
    if (frameOf[row] !== frameIndex) {
      frameIndex = frameOf[row] as number
      view = (frames[frameIndex] as PreparedFrame).view
    }
    const { words, doubles, records, reader } = view as FrameView
    const index = indexOf[row] as number
    const at = index * WORDS
    users[row] = words[at + WORD.userHashHi] as number
    tenants.set(row, words[at + WORD.tenantId] as number)
    days.set(row, Math.floor((doubles[index * DOUBLES + TIMESTAMP_DOUBLE] as number) / DAY_MS))
    const end = index + 1 < records ? (words[at + WORDS + WORD.rowOffset] as number) : reader.rowsBytes
    bytes += end - (words[at + WORD.rowOffset] as number)
  }
  return { users, tenants: tenants.indexes, days: days.indexes, dayNumbers: days.values, bytes }
}

/** Numbers distinct values in order of appearance. `indexes` stays null while there is only one value. */
class Numbering {
  readonly values: number[] = []
  indexes: Uint16Array | null = null
  readonly #rows: number
  readonly #known = new Map<number, number>()
  #last = Number.NaN
  #lastIndex = 0

  constructor(rows: number) {
    this.#rows = rows
  }

  set(row: number, value: number): void {
    if (value !== this.#last) {
      this.#last = value
      this.#lastIndex = this.#indexOf(value)
    }
    if (this.indexes !== null) this.indexes[row] = this.#lastIndex
  }

  #indexOf(value: number): number {
    let index = this.#known.get(value)
    if (index === undefined) {
      index = this.values.push(value) - 1
      this.#known.set(value, index)
      if (index === 1) this.indexes = new Uint16Array(this.#rows)
    }
    return index
  }
}

/** Writes the prefix and the bytes of every row. Returns where each row begins, and the end of the last. */
function writeRows(
  out: Buffer,
  order: Uint32Array,
  frames: readonly PreparedFrame[],
  { frameOf, indexOf }: Candidates,
): Uint32Array {
  const offsets = new Uint32Array(order.length + 1)
  const sources = frames.map(toSource)
  const bytes = new Uint8Array(out.buffer, out.byteOffset, out.length)
  let at = 0
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as number
    const source = sources[frameOf[row] as number] as Source
    const index = indexOf[row] as number
    const start = source.words[index * WORDS + WORD.rowOffset] as number
    const end =
      index + 1 < source.records ? (source.words[(index + 1) * WORDS + WORD.rowOffset] as number) : source.rowsBytes
    offsets[i] = at
    writePrefix(bytes, at, source, index)
    at += PREFIX_BYTES
    // Takes a third less time than `subarray`, and runs once for each row.
    bytes.set(new Uint8Array(source.payload, source.rowsAt + start, end - start), at)
    at += end - start
  }
  offsets[order.length] = at
  return offsets
}

interface Source {
  words: Uint32Array
  payload: ArrayBufferLike
  /** Where the rows begin in `payload`. */
  rowsAt: number
  rowsBytes: number
  records: number
  partition: number
  ordinalHigh: number
  ordinalLow: number
}

const NO_WORDS = new Uint32Array(0)

function toSource({ frame, view }: PreparedFrame): Source {
  const { payload, firstOrdinal, partition } = frame
  return {
    words: view?.words ?? NO_WORDS,
    payload: payload.buffer,
    rowsAt: payload.byteOffset + (view?.reader.rowsOffset ?? 0),
    rowsBytes: view?.reader.rowsBytes ?? 0,
    records: view?.records ?? 0,
    partition,
    ordinalHigh: Math.floor(firstOrdinal / 0x1_0000_0000),
    ordinalLow: firstOrdinal % 0x1_0000_0000,
  }
}

function writePrefix(out: Uint8Array, at: number, source: Source, index: number): void {
  const low = source.ordinalLow + index
  const high = source.ordinalHigh + (low > 0xffff_ffff ? 1 : 0)
  const partition = source.partition
  out[at] = 0
  out[at + 1] = EVENT_COPY_COLUMNS.length
  out[at + 2] = 0
  out[at + 3] = 0
  out[at + 4] = 0
  out[at + 5] = 2
  out[at + 6] = partition >>> 8
  out[at + 7] = partition
  out[at + 8] = 0
  out[at + 9] = 0
  out[at + 10] = 0
  out[at + 11] = 8
  out[at + 12] = high >>> 24
  out[at + 13] = high >>> 16
  out[at + 14] = high >>> 8
  out[at + 15] = high
  out[at + 16] = low >>> 24
  out[at + 17] = low >>> 16
  out[at + 18] = low >>> 8
  out[at + 19] = low
}
