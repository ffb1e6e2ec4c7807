import { ByteReader } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { columnStoreErrors } from '../column-store-errors.js'
import type { Schema, SchemaColumn } from '../schema.js'
import { type Column, createAppender, decodeColumn } from './columns.js'

/** The columns that bytes say they have. */
export type StoredColumn = Omit<SchemaColumn, 'segment'>

/** @throws COLUMN_SCHEMA_MISMATCH when stored columns are not those of the schema; they may lack optional ones */
export function requireFit(schema: Schema, stored: readonly StoredColumn[]): void {
  for (const column of stored) requireSame(schema, column)
  for (const { name, optional } of schema.columns)
    if (!optional && !stored.some((column) => column.name === name)) throw mismatch(`the bytes have no column ${name}`)
}

function requireSame({ columns }: Schema, stored: StoredColumn): void {
  const column = columns.find(({ name }) => name === stored.name)
  if (column === undefined) throw mismatch(`the schema has no column ${JSON.stringify(stored.name)}`)
  if (column.type !== stored.type || column.width !== stored.width)
    throw mismatch(`column ${stored.name} has another type than in the schema`)
  if (stored.optional && !column.optional) throw mismatch(`column ${stored.name} may be without values`)
}

/** A column that was added to the schema after the bytes were written. */
export function columnWithoutValues(column: SchemaColumn, rows: number): Column {
  const appender = createAppender(column)
  for (let row = 0; row < rows; row++) appender.appendNull()
  const out = new GrowingBytes()
  appender.encode(out)
  return decodeColumn(new ByteReader(out.view()), column, rows)
}

function mismatch(message: string): Error {
  return columnStoreErrors.COLUMN_SCHEMA_MISMATCH({ message })
}
