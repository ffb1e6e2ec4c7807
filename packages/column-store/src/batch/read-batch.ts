import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { type Column, type ColumnOf, createAppender, decodeColumn, type Row } from '../columns/columns.js'
import { COLUMNS_MAX, ROWS_MAX } from '../limits.js'
import type { ColumnDefinitions, Schema, SchemaColumn } from '../schema.js'
import { crcOf, decodeColumns, HEAD_BYTES, KIND_BATCH, MAGIC, type StoredColumn, VERSION } from './batch-format.js'

/**
 * Reads a batch. Its checksum is verified at once, and each column is decoded when it is first asked for. Columns are found by name: one that the
 * schema has and the batch has not holds null in all rows, if it is optional.
 * @throws COLUMN_BATCH_CORRUPT for anything that is not a whole, unchanged batch
 * @throws COLUMN_SCHEMA_MISMATCH when the batch has a column that the schema has not, or has with another type
 */
export function readBatch<D extends ColumnDefinitions>(schema: Schema<D>, bytes: Uint8Array): Batch<D> {
  const { columns, rows, blocks } = corruptAs(() => readParts(bytes))
  for (const column of columns) requireSame(schema, column)
  const stored = new Map(columns.map(({ name }, index) => [name, blocks[index] as Buffer]))
  for (const { name, optional } of schema.columns)
    if (!optional && !stored.has(name)) throw mismatch(`the bytes have no column ${name}`)
  return new Batch(schema, rows, stored)
}

export class Batch<D extends ColumnDefinitions> {
  readonly schema: Schema<D>
  readonly rows: number
  readonly #blocks: ReadonlyMap<string, Buffer>
  readonly #decoded = new Map<string, Column>()

  /** @internal */
  constructor(schema: Schema<D>, rows: number, blocks: ReadonlyMap<string, Buffer>) {
    this.schema = schema
    this.rows = rows
    this.#blocks = blocks
  }

  /** A column, decoded. Its bytes are views of the batch where possible. @throws COLUMN_BATCH_CORRUPT */
  column<Name extends keyof D & string>(name: Name): ColumnOf<D, Name> {
    let decoded = this.#decoded.get(name)
    if (decoded === undefined) {
      decoded = this.#decode(name)
      this.#decoded.set(name, decoded)
    }
    return decoded as ColumnOf<D, Name>
  }

  /** One row as an object. @throws COLUMN_BATCH_CORRUPT */
  row(index: number): Row<D> {
    const row: Record<string, unknown> = {}
    for (const { name } of this.schema.columns) row[name] = corruptAs(() => this.column(name).value(index))
    return row as Row<D>
  }

  /** Decodes all columns, so that nothing that follows can throw. @throws COLUMN_BATCH_CORRUPT */
  decode(): this {
    for (const { name } of this.schema.columns) this.column(name)
    return this
  }

  #decode(name: string): Column {
    const column = this.schema.columns.find((candidate) => candidate.name === name)
    if (column === undefined) throw mismatch(`the schema has no column ${name}`)
    const block = this.#blocks.get(name) ?? blockWithoutValues(column, this.rows)
    return corruptAs(() => decodeColumn(new ByteReader(block), column, this.rows))
  }
}

function readParts(bytes: Uint8Array) {
  const reader = new ByteReader(bytes)
  if (reader.left < HEAD_BYTES) throw new InvalidBytes('the bytes end inside the head')
  if (reader.u32() !== MAGIC) throw new InvalidBytes('the bytes do not begin with the magic')
  const version = reader.u8()
  if (version !== VERSION) throw new InvalidBytes(`version ${version} of the format is not known`)
  if (reader.u8() !== KIND_BATCH) throw new InvalidBytes('the bytes are no batch')
  const count = reader.u16()
  const rows = reader.u32()
  if (reader.u32() !== bytes.length) throw new InvalidBytes('the batch has another length than its head says')
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (reader.u32() !== crcOf(all)) throw new InvalidBytes('the bytes do not match their checksum')
  if (count > COLUMNS_MAX || rows > ROWS_MAX) throw new InvalidBytes('there are too many rows or columns')
  const columns = decodeColumns(reader, count)
  if (new Set(columns.map(({ name }) => name)).size < count) throw new InvalidBytes('two columns have the same name')
  const blocks = columns.map(() => reader.counted())
  reader.end()
  return { columns, rows, blocks }
}

function requireSame({ columns }: Schema, stored: StoredColumn): void {
  const column = columns.find(({ name }) => name === stored.name)
  if (column === undefined) throw mismatch(`the schema has no column ${JSON.stringify(stored.name)}`)
  if (column.type !== stored.type || column.width !== stored.width)
    throw mismatch(`column ${stored.name} has another type than in the schema`)
  if (stored.optional && !column.optional) throw mismatch(`column ${stored.name} may be without values`)
}

function blockWithoutValues(column: SchemaColumn, rows: number): Buffer {
  const appender = createAppender(column)
  for (let row = 0; row < rows; row++) appender.appendNull()
  const out = new GrowingBytes()
  appender.encode(out)
  return out.view()
}

function mismatch(message: string): Error {
  return columnStoreErrors.COLUMN_SCHEMA_MISMATCH({ message })
}

/** Runs a decoder. Whatever is wrong with the bytes becomes COLUMN_BATCH_CORRUPT. */
function corruptAs<T>(decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!(cause instanceof InvalidBytes || cause instanceof SyntaxError)) throw cause
    throw columnStoreErrors.COLUMN_BATCH_CORRUPT({ message: `the batch is corrupt: ${cause.message}`, cause })
  }
}
