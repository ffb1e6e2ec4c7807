import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { doubled } from '../bytes/doubled.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeIntegers, encodeIntegers } from '../bytes/integers.js'
import type { Presence } from '../bytes/presence.js'
import { SUB_NS_MAX } from '../limits.js'
import { ColumnAppender } from './column-appender.js'
import { spreadNumbers } from './number-column.js'

/** An instant with nanoseconds: exact, and without BigInt. */
export interface TimeValue {
  /** Whole milliseconds since 1970, a safe integer. */
  readonly ms: number
  /** Nanoseconds after them, from 0 to 999,999. */
  readonly subNs: number
}

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

  protected truncateValues(): void {}

  protected clearValues(): void {}

  protected encodeValues(out: GrowingBytes): void {
    const place = out.beginLength()
    encodeIntegers(out, this.#ms, this.slots)
    out.endLength(place)
    encodeIntegers(out, this.#subNs, this.slots)
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
