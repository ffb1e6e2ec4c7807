import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { encodePresence, type Presence } from '../bytes/presence.js'
import { columnStoreErrors } from '../column-store-errors.js'
import type { SchemaColumn } from '../schema.js'
import type { RowOrder } from './row-order.js'

/** What all decoded columns have. */
export interface DecodedColumn {
  readonly presence: Presence
}

export interface Range {
  readonly min: number
  readonly max: number
}

/** Collects the values of one column. Only rows that have a value take room for one. */
export abstract class ColumnAppender {
  readonly column: SchemaColumn
  #rows = 0
  #slots = 0
  /** One byte a row; undefined when each row must have a value. */
  #presence: Uint8Array | undefined

  constructor(column: SchemaColumn) {
    this.column = column
    this.#presence = column.optional ? new Uint8Array(64) : undefined
  }

  /** Rows so far, with and without a value. */
  get rows(): number {
    return this.#rows
  }

  /** Values so far. */
  get slots(): number {
    return this.#slots
  }

  /** About how many bytes the values take. */
  abstract get bytes(): number

  /** Appends a row without a value. @throws COLUMN_VALUE_INVALID when the column is not optional */
  appendNull(): void {
    if (this.#presence === undefined) throw this.invalid('a row has no value')
    this.#markPresence(0)
    this.#rows++
  }

  /** Removes the last rows until only `rows` are left. */
  truncate(rows: number): void {
    const before = this.#slots
    while (this.#rows > rows) {
      this.#rows--
      if (this.#presence === undefined || this.#presence[this.#rows] === 1) this.#slots--
    }
    if (this.#slots < before) this.truncateValues(this.#slots, before - this.#slots)
  }

  /** Removes all rows. */
  clear(): void {
    this.#rows = 0
    this.#slots = 0
    this.clearValues()
  }

  /** Writes all rows. */
  encode(out: GrowingBytes): void {
    encodePresence(out, this.#presence, { rows: this.#rows, slots: this.#slots })
    this.encodeValues(out)
  }

  /** Removes the last `removed` values, so that `slots` of them are left. */
  /** Appends the value of a row of a decoded column of the same type. */
  appendFrom(column: DecodedColumn, row: number): void {
    if (column.presence !== undefined && column.presence[row] === 0) this.appendNull()
    else this.appendValueFrom(column, row)
  }

  /** Appends rows of decoded columns of the same type, those from `start` to before `end` in the given order. */
  appendRows(columns: readonly DecodedColumn[], order: RowOrder, { start, end }: { start: number; end: number }): void {
    const { sources, rows } = order
    for (let index = start; index < end; index++)
      this.appendFrom(columns[sources[index] as number] as DecodedColumn, rows[index] as number)
  }

  /** Writes all rows in the form of chunks: smaller than that of batches, and slower to write. Values that are rarely read go to `extra`. */
  encodeStored(out: GrowingBytes, extra: GrowingBytes): void {
    encodePresence(out, this.#presence, { rows: this.#rows, slots: this.#slots })
    this.encodeStoredValues(out, extra)
  }

  /** The least and the greatest value of columns of numbers; undefined for others and without values. */
  range(): Range | undefined {
    return undefined
  }

  protected abstract appendValueFrom(column: DecodedColumn, row: number): void

  /** The form of batches, unless a type has a smaller one. */
  protected encodeStoredValues(out: GrowingBytes, _extra: GrowingBytes): void {
    this.encodeValues(out)
  }

  protected abstract truncateValues(slots: number, removed: number): void

  protected abstract clearValues(): void

  protected abstract encodeValues(out: GrowingBytes): void

  /** Counts a value that has been stored. */
  protected addedValue(): void {
    if (this.#presence !== undefined) this.#markPresence(1)
    this.#rows++
    this.#slots++
  }

  protected invalid(reason: string): Error {
    return columnStoreErrors.COLUMN_VALUE_INVALID({
      message: `column ${this.column.name}: ${reason}`,
      details: { column: this.column.name },
    })
  }

  #markPresence(flag: 0 | 1): void {
    let presence = this.#presence as Uint8Array
    if (this.#rows === presence.length) {
      presence = new Uint8Array(presence.length * 2)
      presence.set(this.#presence as Uint8Array)
      this.#presence = presence
    }
    presence[this.#rows] = flag
  }
}
