import { columnStoreErrors } from './column-store-errors.js'
import { COLUMNS_MAX } from './limits.js'

/**
 * What a column holds:
 * - `time`: an instant in whole milliseconds since 1970 and the nanoseconds after it
 * - `int`: integers from -(2^53 - 1) to 2^53 - 1
 * - `float`: doubles, every one of them (NaN, infinities and -0 as well)
 * - `bool`
 * - `hex`: `bytes` bytes, shown as twice as many lower-case digits
 * - `uuid`: 16 bytes, shown as lower-case digits with hyphens
 * - `keyword`: bytes with few distinct values, each of which is stored once
 * - `text`: any bytes
 * - `json`: the JSON text of one value, kept byte for byte
 */
export type ColumnType = keyof typeof COLUMN_TYPE_IDS

/** The ids are part of the format: never change one. */
export const COLUMN_TYPE_IDS = {
  time: 1,
  int: 2,
  float: 3,
  bool: 4,
  hex: 5,
  uuid: 6,
  keyword: 7,
  text: 8,
  json: 9,
} as const

interface CommonDefinition {
  /** Rows may have no value in this column (null). Default: every row has one. */
  readonly optional?: true
  /** The segment of a chunk that holds the column; columns of one segment are compressed and read together. Default: the name of the column. */
  readonly segment?: string
}

export type ColumnDefinition = CommonDefinition &
  ({ readonly type: Exclude<ColumnType, 'hex'> } | { readonly type: 'hex'; readonly bytes: number })

/** Columns by name, in the order in which they are stored. */
export type ColumnDefinitions = Readonly<Record<string, ColumnDefinition>>

/** One column of a schema, complete. */
export interface SchemaColumn {
  readonly name: string
  readonly type: ColumnType
  readonly optional: boolean
  /** Bytes of a value of `hex` and `uuid`; 0 for other types. */
  readonly width: number
  readonly segment: string
}

export interface Schema<Definitions extends ColumnDefinitions = ColumnDefinitions> {
  readonly columns: readonly SchemaColumn[]
  /** @internal Only a type. */
  readonly definitions: Definitions
}

const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,62}$/
/** What the names of segments end in that hold the variables of a column. */
export const VARIABLES = '.variables'
export const HEX_BYTES_MAX = 64
export const UUID_BYTES = 16

/**
 * Checks the definitions of columns.
 * @throws COLUMN_SCHEMA_INVALID
 */
export function defineSchema<const Definitions extends ColumnDefinitions>(
  definitions: Definitions,
): Schema<Definitions> {
  const columns = Object.entries(definitions).map(([name, definition]) => completeColumn(name, definition))
  if (columns.length === 0 || columns.length > COLUMNS_MAX)
    throw invalid(`a schema has from 1 to ${COLUMNS_MAX} columns, not ${columns.length}`)
  return { columns, definitions }
}

function completeColumn(name: string, definition: ColumnDefinition): SchemaColumn {
  if (!NAME.test(name)) throw invalid(`the name of a column must match ${NAME}, and ${JSON.stringify(name)} does not`)
  const { type, optional = false, segment = name } = definition
  if (!Object.hasOwn(COLUMN_TYPE_IDS, type)) throw invalid(`column ${name} has the unknown type ${String(type)}`)
  if (!NAME.test(segment) || segment.endsWith(VARIABLES))
    throw invalid(`the segment of column ${name} must match ${NAME} and not end in ${VARIABLES}`)
  const width = widthOf(definition)
  if (!Number.isInteger(width) || width < 0 || width > HEX_BYTES_MAX || (type === 'hex' && width === 0))
    throw invalid(`column ${name} must have from 1 to ${HEX_BYTES_MAX} bytes`)
  return { name, type, optional, width, segment }
}

function widthOf(definition: ColumnDefinition): number {
  if (definition.type === 'hex') return definition.bytes
  return definition.type === 'uuid' ? UUID_BYTES : 0
}

function invalid(message: string): Error {
  return columnStoreErrors.COLUMN_SCHEMA_INVALID({ message })
}
