import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { doubled } from '../bytes/doubled.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeIntegers, encodeIntegers } from '../bytes/integers.js'
import type { Presence } from '../bytes/presence.js'
import { SUB_NS_MAX } from '../limits.js'
import { ColumnAppender, type Range } from './column-appender.js'
import { rangeOf, spreadNumbers } from './number-column.js'

/** An instant with nanoseconds: exact, and without BigInt. */
export interface TimeValue {
  /** Whole milliseconds since 1970, a safe integer. */
  readonly ms: number
  /** Nanoseconds after them, from 0 to 999,999. */
  readonly subNs: number
}

/** Milliseconds and nanoseconds as two lists of integers. */
const SEPARATE = 0
/** The first time, then the nanoseconds from each time to the next. */
const ASCENDING = 1
const NS_PER_MS = SUB_NS_MAX + 1
/** Adding the nanoseconds of a time to it must be exact. */
const DISTANCE_MAX = Number.MAX_SAFE_INTEGER - NS_PER_MS

export class TimeAppender extends ColumnAppender {
  #ms = new Float64Array(64)
  #subNs = new Float64Array(64)

  get bytes(): number {
    return this.slots * 12
  }

  /** @throws COLUMN_VALUE_INVALID when `ms` is no safe integer or `subNs` is no integer from 0 to 999,999 */
  append(ms: number, subNs: number): void {
    if (!Number.isSafeInteger(ms)) throw this.invalid('the milliseconds are not a safe integer')
    if (!(subNs >= 0 && subNs <= SUB_NS_MAX && Number.isInteger(subNs)))
      throw this.invalid(`the nanoseconds are not an integer from 0 to ${SUB_NS_MAX}`)
    const slot = this.slots
    if (slot === this.#ms.length) {
      this.#ms = doubled(this.#ms)
      this.#subNs = doubled(this.#subNs)
    }
    this.#ms[slot] = ms
    this.#subNs[slot] = subNs
    this.addedValue()
  }

  /** In milliseconds. */
  override range(): Range | undefined {
    return rangeOf(this.#ms, this.slots)
  }

  protected appendValueFrom(column: TimeColumn, row: number): void {
    this.append(column.ms[row] as number, column.subNs[row] as number)
  }

  protected truncateValues(): void {}

  protected clearValues(): void {}

  protected encodeValues(out: GrowingBytes): void {
    const place = out.beginLength()
    encodeIntegers(out, this.#ms, this.slots)
    out.endLength(place)
    encodeIntegers(out, this.#subNs, this.slots)
  }

  protected override encodeStoredValues(out: GrowingBytes): void {
    if (this.slots === 0 || !this.#isAscending()) {
      out.u8(SEPARATE)
      this.encodeValues(out)
      return
    }
    out.u8(ASCENDING)
    out.f64(this.#ms[0] as number)
    out.u32(this.#subNs[0] as number)
    for (let slot = 1; slot < this.slots; slot++) out.varint(this.#distance(slot))
  }

  #isAscending(): boolean {
    for (let slot = 1; slot < this.slots; slot++) {
      const distance = this.#distance(slot)
      if (!(distance >= 0 && distance <= DISTANCE_MAX)) return false
    }
    return true
  }

  /** Nanoseconds since the time before. */
  #distance(slot: number): number {
    const ms = (this.#ms[slot] as number) - (this.#ms[slot - 1] as number)
    return ms * NS_PER_MS + (this.#subNs[slot] as number) - (this.#subNs[slot - 1] as number)
  }
}

/** A decoded column of times. Rows without a value hold 0. */
export class TimeColumn {
  readonly presence: Presence
  readonly ms: Float64Array
  readonly subNs: Float64Array

  constructor(presence: Presence, { ms, subNs }: { ms: Float64Array; subNs: Float64Array }) {
    this.presence = presence
    this.ms = spreadNumbers(ms, presence)
    this.subNs = spreadNumbers(subNs, presence)
  }

  value(row: number): TimeValue | null {
    if (this.presence !== undefined && this.presence[row] === 0) return null
    return { ms: this.ms[row] as number, subNs: this.subNs[row] as number }
  }
}

/** @throws InvalidBytes */
export function decodeTimes(reader: ByteReader, presence: Presence, slots: number): TimeColumn {
  const msReader = new ByteReader(reader.counted())
  const ms = decodeIntegers(msReader, slots)
  msReader.end()
  const subNs = decodeIntegers(reader, slots)
  for (const value of subNs) if (value < 0 || value > SUB_NS_MAX) throw new InvalidBytes('nanoseconds are out of range')
  return new TimeColumn(presence, { ms, subNs })
}

/** Reads times of a chunk. @throws InvalidBytes */
export function decodeStoredTimes(reader: ByteReader, presence: Presence, slots: number): TimeColumn {
  const form = reader.u8()
  if (form === SEPARATE) return decodeTimes(reader, presence, slots)
  if (form !== ASCENDING || slots === 0) throw new InvalidBytes(`times have the unknown form ${form}`)
  const ms = new Float64Array(slots)
  const subNs = new Float64Array(slots)
  ms[0] = reader.f64()
  subNs[0] = reader.u32()
  if ((subNs[0] as number) > SUB_NS_MAX) throw new InvalidBytes('nanoseconds are out of range')
  for (let slot = 1; slot < slots; slot++) {
    const ns = (subNs[slot - 1] as number) + reader.varint()
    subNs[slot] = ns % NS_PER_MS
    ms[slot] = (ms[slot - 1] as number) + Math.floor(ns / NS_PER_MS)
  }
  // Times ascend, so the first and the last one bound all of them.
  if (!Number.isSafeInteger(ms[0]) || !Number.isSafeInteger(ms[slots - 1]))
    throw new InvalidBytes('a time is out of range')
  return new TimeColumn(presence, { ms, subNs })
}
