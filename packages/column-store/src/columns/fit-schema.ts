import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { type ColumnDefinition, defineSchema, type Schema, type SchemaColumn } from '../schema.js'
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

/** The schema of bytes that are read without one. @throws InvalidBytes */
export function schemaOf(columns: readonly StoredColumn[]): Schema {
  if (new Set(columns.map(({ name }) => name)).size < columns.length)
    throw new InvalidBytes('two columns have the same name')
  const definitions = columns.map(({ name, type, width, optional }): [string, ColumnDefinition] => [
    name,
    { ...(type === 'hex' ? { type, bytes: width } : { type }), ...(optional && { optional: true }) },
  ])
  try {
    return defineSchema(Object.fromEntries(definitions))
  } catch (cause) {
    throw new InvalidBytes('the names of the columns are not valid', { cause })
  }
}

function mismatch(message: string): Error {
  return columnStoreErrors.COLUMN_SCHEMA_MISMATCH({ message })
}
