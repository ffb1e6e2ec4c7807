import { type ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { doubled } from '../bytes/doubled.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeDoubles, decodeIntegers, encodeDoubles, encodeIntegers } from '../bytes/integers.js'
import type { Presence } from '../bytes/presence.js'
import { ColumnAppender, type Range } from './column-appender.js'

/** Decimals of floats that are stored as integers. */
const SCALE_MAX = 6
/** In the place of a number of decimals: the values are doubles. */
const UNSCALED = 255

abstract class NumberAppender extends ColumnAppender {
  protected values = new Float64Array(64)

  get bytes(): number {
    return this.slots * 8
  }

  protected store(value: number): void {
    const slot = this.slots
    if (slot === this.values.length) this.values = doubled(this.values)
    this.values[slot] = value
    this.addedValue()
  }

  protected appendValueFrom(column: NumberColumn, row: number): void {
    this.store(column.values[row] as number)
  }

  protected truncateValues(): void {}

  protected clearValues(): void {}
}

export class IntAppender extends NumberAppender {
  /** @throws COLUMN_VALUE_INVALID for anything but a safe integer */
  append(value: number): void {
    if (!Number.isSafeInteger(value)) throw this.invalid('the value is not a safe integer')
    // -0 becomes 0: integers have one zero.
    this.store(value + 0)
  }

  override range(): Range | undefined {
    return rangeOf(this.values, this.slots)
  }

  protected encodeValues(out: GrowingBytes): void {
    encodeIntegers(out, this.values, this.slots)
  }
}

export class FloatAppender extends NumberAppender {
  /** @throws COLUMN_VALUE_INVALID for anything but a number */
  append(value: number): void {
    if (typeof value !== 'number') throw this.invalid('the value is not a number')
    this.store(value)
  }

  protected encodeValues(out: GrowingBytes): void {
    encodeDoubles(out, this.values, this.slots)
  }

  protected override encodeStoredValues(out: GrowingBytes): void {
    const { values, slots } = this
    const scale = scaleOf(values, slots)
    out.u8(scale)
    if (scale === UNSCALED) encodeDoubles(out, values, slots)
    else
      encodeIntegers(
        out,
        values.subarray(0, slots).map((value) => Math.round(value * 10 ** scale)),
        slots,
      )
  }
}

/** How many decimals are enough for all values; UNSCALED when there is no such number. */
function scaleOf(values: Float64Array, count: number): number {
  let scale = 0
  for (let index = 0; index < count; index++) {
    while (scale < UNSCALED && !isExact(values[index] as number, 10 ** scale))
      scale = scale < SCALE_MAX ? scale + 1 : UNSCALED
    if (scale === UNSCALED) break
  }
  // A larger scale may be wrong for an earlier value.
  for (let index = 0; index < count && scale < UNSCALED; index++)
    if (!isExact(values[index] as number, 10 ** scale)) scale = UNSCALED
  return scale
}

function isExact(value: number, factor: number): boolean {
  const scaled = Math.round(value * factor)
  return Number.isSafeInteger(scaled) && Object.is(scaled / factor, value)
}

/** The least and greatest of the first `count` numbers. */
export function rangeOf(values: Float64Array, count: number): Range | undefined {
  if (count === 0) return undefined
  let min = values[0] as number
  let max = min
  for (let index = 1; index < count; index++) {
    const value = values[index] as number
    if (value < min) min = value
    else if (value > max) max = value
  }
  return { min, max }
}

/** A decoded column of integers or doubles. Rows without a value hold 0. */
export class NumberColumn {
  readonly presence: Presence
  readonly values: Float64Array

  constructor(presence: Presence, values: Float64Array) {
    this.presence = presence
    this.values = spreadNumbers(values, presence)
  }

  value(row: number): number | null {
    return this.presence !== undefined && this.presence[row] === 0 ? null : (this.values[row] as number)
  }
}

/** @throws InvalidBytes */
export function decodeInts(reader: ByteReader, presence: Presence, slots: number): NumberColumn {
  return new NumberColumn(presence, decodeIntegers(reader, slots))
}

/** @throws InvalidBytes */
export function decodeFloats(reader: ByteReader, presence: Presence, slots: number): NumberColumn {
  return new NumberColumn(presence, decodeDoubles(reader, slots))
}

/** Reads floats of a chunk. @throws InvalidBytes */
export function decodeScaled(reader: ByteReader, presence: Presence, slots: number): NumberColumn {
  const scale = reader.u8()
  if (scale === UNSCALED) return decodeFloats(reader, presence, slots)
  if (scale > SCALE_MAX) throw new InvalidBytes(`floats have the unknown scale ${scale}`)
  return new NumberColumn(
    presence,
    decodeIntegers(reader, slots).map((value) => value / 10 ** scale),
  )
}

/** Puts each value into its row, and 0 into rows without a value. */
export function spreadNumbers<T extends Float64Array | Uint32Array | Uint8Array>(values: T, presence: Presence): T {
  if (presence === undefined) return values
  const spread = new (values.constructor as new (length: number) => T)(presence.length)
  let slot = 0
  for (let row = 0; row < presence.length; row++) if (presence[row] === 1) spread[row] = values[slot++] as number
  return spread
}
