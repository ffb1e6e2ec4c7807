import type { ErrorFactory } from '@millrace/contracts'
import { InvalidBytes } from '../bytes/byte-reader.js'
import { columnStoreErrors } from '../column-store-errors.js'
import type { ColumnDefinitions, Schema, SchemaColumn } from '../schema.js'
import type { Column, ColumnOf, Row } from './columns.js'
import { TextColumn } from './text-column.js'

interface Source {
  readonly rows: number
  /** Decodes a column of the schema. @throws InvalidBytes */
  readonly decode: (column: SchemaColumn) => Column
  /** The error for bytes that cannot be decoded. */
  readonly corrupt: ErrorFactory
}

/** The rows of a batch or a chunk. A column is decoded when it is first asked for. */
export class ColumnReader<D extends ColumnDefinitions> {
  readonly schema: Schema<D>
  readonly rows: number
  readonly #source: Source
  readonly #decoded = new Map<string, Column>()

  /** @internal */
  constructor(schema: Schema<D>, source: Source) {
    this.schema = schema
    this.rows = source.rows
    this.#source = source
  }

  /** A decoded column. Its bytes are views of the stored ones where possible. @throws COLUMN_BATCH_CORRUPT or COLUMN_CHUNK_CORRUPT */
  column<Name extends keyof D & string>(name: Name): ColumnOf<D, Name> {
    let decoded = this.#decoded.get(name)
    if (decoded === undefined) {
      decoded = this.#decode(name)
      this.#decoded.set(name, decoded)
    }
    return decoded as ColumnOf<D, Name>
  }

  /** One row as an object. @throws COLUMN_BATCH_CORRUPT or COLUMN_CHUNK_CORRUPT */
  row(index: number): Row<D> {
    const row: Record<string, unknown> = {}
    for (const { name } of this.schema.columns)
      row[name] = corruptAs(this.#source.corrupt, () => this.column(name).value(index))
    return row as Row<D>
  }

  /** Decodes all columns, so that no later call can find the bytes corrupt. @throws COLUMN_BATCH_CORRUPT or COLUMN_CHUNK_CORRUPT */
  decode(): this {
    for (const { name } of this.schema.columns) {
      const column: Column = this.column(name)
      // Puts templates and variables together.
      if (column instanceof TextColumn) void column.texts
    }
    return this
  }

  #decode(name: string): Column {
    const column = this.schema.columns.find((candidate) => candidate.name === name)
    if (column === undefined)
      throw columnStoreErrors.COLUMN_SCHEMA_MISMATCH({ message: `the schema has no column ${name}` })
    return corruptAs(this.#source.corrupt, () => this.#source.decode(column))
  }
}

/** Runs a decoder. Whatever is wrong with the bytes becomes an error of the given code. */
export function corruptAs<T>(corrupt: ErrorFactory, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (!(cause instanceof InvalidBytes || cause instanceof SyntaxError)) throw cause
    throw corrupt({ message: `the bytes are corrupt: ${cause.message}`, cause })
  }
}
