import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { ColumnReader, corruptAs } from '../columns/column-reader.js'
import { decodeColumn } from '../columns/columns.js'
import { columnWithoutValues, requireFit, schemaOf } from '../columns/fit-schema.js'
import { COLUMNS_MAX, ROWS_MAX } from '../limits.js'
import type { ColumnDefinitions, Schema, SchemaColumn } from '../schema.js'
import { crcOf, decodeColumns, HEAD_BYTES, KIND_AT, KIND_BATCH, MAGIC, VERSION } from './batch-format.js'

const corrupt = columnStoreErrors.COLUMN_BATCH_CORRUPT

/**
 * Reads a batch. Its checksum is verified at once, and each column is decoded when it is first asked for. Columns are found by name: one that the
 * schema has and the batch has not holds null in all rows, if it is optional.
 * @throws COLUMN_BATCH_CORRUPT for anything that is not a whole, unchanged batch
 * @throws COLUMN_SCHEMA_MISMATCH when the batch has a column that the schema has not, or has with another type
 */
export function readBatch<D extends ColumnDefinitions>(schema: Schema<D>, bytes: Uint8Array): ColumnReader<D> {
  return openParts(
    schema,
    corruptAs(corrupt, () => readParts(bytes)),
  )
}

/** Whether bytes begin as a batch does. */
export function isBatch(bytes: Uint8Array): boolean {
  return bytes[KIND_AT] === KIND_BATCH
}

/** Reads a batch by the names in it. @throws COLUMN_BATCH_CORRUPT */
export function openBatch(bytes: Uint8Array): ColumnReader<ColumnDefinitions> {
  const parts = corruptAs(corrupt, () => readParts(bytes))
  return openParts(
    corruptAs(corrupt, () => schemaOf(parts.columns)),
    parts,
  )
}

function openParts<D extends ColumnDefinitions>(
  schema: Schema<D>,
  { columns, rows, blocks }: ReturnType<typeof readParts>,
): ColumnReader<D> {
  requireFit(schema, columns)
  const stored = new Map(columns.map(({ name }, index) => [name, blocks[index] as Buffer]))
  const decode = (column: SchemaColumn) => {
    const block = stored.get(column.name)
    return block === undefined ? columnWithoutValues(column, rows) : decodeColumn(new ByteReader(block), column, rows)
  }
  return new ColumnReader(schema, { rows, decode, corrupt })
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
