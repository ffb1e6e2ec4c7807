import { columnStoreErrors } from '../column-store-errors.js'
import type { Column, ColumnOf } from '../columns/columns.js'
import { KeywordColumn } from '../columns/keyword-column.js'
import { NumberColumn } from '../columns/number-column.js'
import type { ColumnDefinitions, Schema } from '../schema.js'
import type { RowSource } from './chunk-builder.js'

/** The values of a column that all rows of a source have in common, or that are numbered from row to row. */
export type AddedColumn =
  | { readonly kind: 'keyword'; readonly value: string }
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'sequence'; readonly first: number }

/**
 * Rows of a source with more columns, as a larger schema wants them.
 * @throws COLUMN_SCHEMA_MISMATCH when a column is asked for that is neither added nor in the source
 */
export function extendRows<D extends ColumnDefinitions, S extends ColumnDefinitions>(
  schema: Schema<D>,
  source: RowSource<S>,
  added: Readonly<Partial<Record<keyof D & string, AddedColumn>>>,
): RowSource<D> {
  const made = new Map<string, Column>()
  return {
    rows: source.rows,
    column: <Name extends keyof D & string>(name: Name) => {
      const add = added[name]
      if (add === undefined) {
        if (!Object.hasOwn(schema.definitions, name))
          throw columnStoreErrors.COLUMN_SCHEMA_MISMATCH({ message: `the schema has no column ${name}` })
        return source.column(name as unknown as keyof S & string) as unknown as ColumnOf<D, Name>
      }
      let column = made.get(name)
      if (column === undefined) {
        column = toColumn(add, source.rows)
        made.set(name, column)
      }
      return column as ColumnOf<D, Name>
    },
  }
}

function toColumn(added: AddedColumn, rows: number): Column {
  switch (added.kind) {
    case 'keyword': {
      const bytes = Buffer.from(added.value)
      return new KeywordColumn(undefined, { bytes, ends: Uint32Array.of(bytes.length) }, new Float64Array(rows))
    }
    case 'int':
      return new NumberColumn(undefined, new Float64Array(rows).fill(added.value))
    case 'sequence':
      return new NumberColumn(
        undefined,
        Float64Array.from({ length: rows }, (_, row) => added.first + row),
      )
  }
}
