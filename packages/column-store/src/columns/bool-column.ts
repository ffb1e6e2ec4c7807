import type { ByteReader } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeBits, encodeBits, type Presence } from '../bytes/presence.js'
import { ColumnAppender } from './column-appender.js'
import { spreadNumbers } from './number-column.js'

export class BoolAppender extends ColumnAppender {
  readonly #flags = new GrowingBytes(64)

  get bytes(): number {
    return this.slots >> 3
  }

  append(value: boolean): void {
    if (typeof value !== 'boolean') throw this.invalid('the value is neither true nor false')
    this.#flags.u8(value ? 1 : 0)
    this.addedValue()
  }

  protected appendValueFrom(column: BoolColumn, row: number): void {
    this.append(column.values[row] === 1)
  }

  protected truncateValues(slots: number): void {
    this.#flags.length = slots
  }

  protected clearValues(): void {
    this.#flags.clear()
  }

  protected encodeValues(out: GrowingBytes): void {
    encodeBits(out, this.#flags.buffer, this.slots)
  }
}

/** A decoded column of booleans: 1 or 0 a row. Rows without a value hold 0. */
export class BoolColumn {
  readonly presence: Presence
  readonly values: Uint8Array

  constructor(presence: Presence, values: Uint8Array) {
    this.presence = presence
    this.values = spreadNumbers(values, presence)
  }

  value(row: number): boolean | null {
    return this.presence !== undefined && this.presence[row] === 0 ? null : this.values[row] === 1
  }
}

/** @throws InvalidBytes */
export function decodeBools(reader: ByteReader, presence: Presence, slots: number): BoolColumn {
  return new BoolColumn(presence, decodeBits(reader, slots))
}
