import { GrowingBytes } from '../bytes/growing-bytes.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { appendValue } from '../columns/append-value.js'
import { type Appender, type Appenders, createAppender, type Row } from '../columns/columns.js'
import { ROWS_MAX } from '../limits.js'
import type { ColumnDefinitions, Schema } from '../schema.js'
import { encodeColumns, HEAD_BYTES, KIND_BATCH, MAGIC, sealHead, VERSION } from './batch-format.js'

/** Makes a writer for batches of a schema. One writer makes any number of batches, one after the other. */
export function createBatchWriter<D extends ColumnDefinitions>(schema: Schema<D>): BatchWriter<D> {
  return new BatchWriter(schema)
}

export class BatchWriter<D extends ColumnDefinitions> {
  /** Where values are appended, by the name of the column: at most one for each row, in any order of columns. */
  readonly columns: Appenders<D>
  readonly #schema: Schema<D>
  readonly #appenders: readonly Appender[]
  readonly #out = new GrowingBytes(4096)
  #rows = 0

  constructor(schema: Schema<D>) {
    this.#schema = schema
    this.#appenders = schema.columns.map(createAppender)
    this.columns = Object.fromEntries(
      schema.columns.map(({ name }, index) => [name, this.#appenders[index]]),
    ) as unknown as Appenders<D>
  }

  /** Rows that `endRow` has completed. */
  get rows(): number {
    return this.#rows
  }

  /** About how many bytes the batch will have. */
  get bytes(): number {
    return this.#appenders.reduce((sum, { bytes }) => sum + bytes, HEAD_BYTES)
  }

  /**
   * Completes the row whose values were appended. Optional columns without a value hold null. When it throws, the row is dropped.
   * @throws COLUMN_VALUE_INVALID when a column that is not optional has no value, or any column has several
   * @throws COLUMN_BATCH_FULL when the batch has ROWS_MAX rows
   */
  endRow(): void {
    try {
      if (this.#rows === ROWS_MAX) throw columnStoreErrors.COLUMN_BATCH_FULL()
      for (const appender of this.#appenders) this.#endValue(appender)
    } catch (error) {
      this.dropRow()
      throw error
    }
    this.#rows++
  }

  /** Forgets the values of a row that was begun and not completed. Nothing of them stays in the batch. */
  dropRow(): void {
    for (const appender of this.#appenders) appender.truncate(this.#rows)
  }

  /**
   * Appends a row that is an object, as a whole or not at all. An absent column is null.
   * @throws COLUMN_VALUE_INVALID when a value does not fit its column
   * @throws COLUMN_BATCH_FULL when the batch has ROWS_MAX rows
   */
  appendRow(row: Partial<Row<D>>): void {
    this.dropRow()
    try {
      for (const appender of this.#appenders) appendValue(appender, row[appender.column.name])
    } catch (error) {
      this.dropRow()
      throw error
    }
    this.endRow()
  }

  /**
   * Returns the batch of all completed rows and begins a new one. A row that was not completed is dropped.
   * The bytes are valid until the next `finish` of this writer.
   */
  finish(): Buffer {
    this.dropRow()
    const out = this.#out
    out.clear()
    const { columns } = this.#schema
    out.u32(MAGIC)
    out.u8(VERSION)
    out.u8(KIND_BATCH)
    out.u16(columns.length)
    out.u32(this.#rows)
    out.u32(0)
    out.u32(0)
    encodeColumns(out, columns)
    for (const appender of this.#appenders) {
      const place = out.beginLength()
      appender.encode(out)
      out.endLength(place)
    }
    this.clear()
    return sealHead(out.view())
  }

  /** Forgets all rows. */
  clear(): void {
    for (const appender of this.#appenders) appender.clear()
    this.#rows = 0
  }

  #endValue(appender: Appender): void {
    if (appender.rows === this.#rows) appender.appendNull()
    else if (appender.rows > this.#rows + 1) throw this.#hasSeveralValues(appender)
  }

  #hasSeveralValues(appender: Appender): Error {
    return columnStoreErrors.COLUMN_VALUE_INVALID({
      message: `column ${appender.column.name}: a row has several values`,
      details: { column: appender.column.name },
    })
  }
}
