import type { ByteReader } from '../bytes/byte-reader.js'
import { doubled } from '../bytes/doubled.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeDoubles, decodeIntegers, encodeDoubles, encodeIntegers } from '../bytes/integers.js'
import type { Presence } from '../bytes/presence.js'
import { ColumnAppender } from './column-appender.js'

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

/** Puts each value into its row, and 0 into rows without a value. */
export function spreadNumbers<T extends Float64Array | Uint32Array | Uint8Array>(values: T, presence: Presence): T {
  if (presence === undefined) return values
  const spread = new (values.constructor as new (length: number) => T)(presence.length)
  let slot = 0
  for (let row = 0; row < presence.length; row++) if (presence[row] === 1) spread[row] = values[slot++] as number
  return spread
}
