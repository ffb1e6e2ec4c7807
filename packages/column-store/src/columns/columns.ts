import { ByteReader } from '../bytes/byte-reader.js'
import { decodePresence } from '../bytes/presence.js'
import type { ColumnDefinition, ColumnDefinitions, SchemaColumn } from '../schema.js'
import { BoolAppender, type BoolColumn, decodeBools } from './bool-column.js'
import { decodeKeywords, KeywordAppender, type KeywordColumn } from './keyword-column.js'
import {
  decodeFloats,
  decodeInts,
  decodeScaled,
  FloatAppender,
  IntAppender,
  type NumberColumn,
} from './number-column.js'
import { decodePacked, PackedAppender, type PackedColumn } from './packed-column.js'
import { decodeStoredTexts } from './stored-texts.js'
import { decodeTextColumn, TextAppender, TextColumn } from './text-column.js'
import { decodeStoredTimes, decodeTimes, TimeAppender, type TimeColumn, type TimeValue } from './time-column.js'

/** For each type of column: what collects it, what it is when decoded, and its value in a row object. */
interface Kinds {
  time: { appender: TimeAppender; column: TimeColumn; value: TimeValue }
  int: { appender: IntAppender; column: NumberColumn; value: number }
  float: { appender: FloatAppender; column: NumberColumn; value: number }
  bool: { appender: BoolAppender; column: BoolColumn; value: boolean }
  hex: { appender: PackedAppender; column: PackedColumn; value: string }
  uuid: { appender: PackedAppender; column: PackedColumn; value: string }
  keyword: { appender: KeywordAppender; column: KeywordColumn; value: string }
  text: { appender: TextAppender; column: TextColumn; value: string }
  json: { appender: TextAppender; column: TextColumn; value: unknown }
}

export type Appender = Kinds[keyof Kinds]['appender']
export type Column = Kinds[keyof Kinds]['column']

/** The appender of each column by name. */
export type Appenders<D extends ColumnDefinitions> = { readonly [Name in keyof D]: Kinds[D[Name]['type']]['appender'] }

/** The decoded column by name. */
export type ColumnOf<D extends ColumnDefinitions, Name extends keyof D> = Kinds[D[Name]['type']]['column']

type ValueOf<Definition extends ColumnDefinition> =
  | Kinds[Definition['type']]['value']
  | (Definition extends { readonly optional: true } ? null : never)

/** One row as an object. Columns that may be without a value hold null there. */
export type Row<D extends ColumnDefinitions> = { [Name in keyof D]: ValueOf<D[Name]> }

export function createAppender(column: SchemaColumn): Appender {
  switch (column.type) {
    case 'time':
      return new TimeAppender(column)
    case 'int':
      return new IntAppender(column)
    case 'float':
      return new FloatAppender(column)
    case 'bool':
      return new BoolAppender(column)
    case 'hex':
    case 'uuid':
      return new PackedAppender(column)
    case 'keyword':
      return new KeywordAppender(column)
    case 'text':
    case 'json':
      return new TextAppender(column)
  }
}

/** Decodes one column up to the end of the reader. @throws InvalidBytes */
export function decodeColumn(reader: ByteReader, column: SchemaColumn, rows: number): Column {
  const { presence, slots } = decodePresence(reader, rows)
  const decoded = decodeValues(reader, column, { presence, slots })
  reader.end()
  return decoded
}

/**
 * Decodes one column of a chunk up to the end of the reader. `extra` returns the second block of the column, at once or later.
 * @throws InvalidBytes
 */
export function decodeStoredColumn(block: Buffer, column: SchemaColumn, { rows, ...later }: StoredShape): Column {
  const reader = new ByteReader(block)
  const { presence, slots } = decodePresence(reader, rows)
  const decoded = decodeStoredValues(reader, column, { presence, slots, ...later })
  reader.end()
  return decoded
}

interface StoredShape {
  readonly rows: number
  readonly extra: () => Buffer
  /** Runs what is decoded later, and turns InvalidBytes into an error with a code. */
  readonly guard: <T>(decode: () => T) => T
}

function decodeStoredValues(
  reader: ByteReader,
  column: SchemaColumn,
  { presence, slots, extra, guard }: ReturnType<typeof decodePresence> & Omit<StoredShape, 'rows'>,
): Column {
  switch (column.type) {
    case 'time':
      return decodeStoredTimes(reader, presence, slots)
    case 'float':
      return decodeScaled(reader, presence, slots)
    case 'text':
    case 'json': {
      const { templates, parts, count, join } = decodeStoredTexts(reader, slots, extra)
      const variables = () => guard(extra)
      const stored = {
        join: () => guard(join),
        ...(templates !== undefined && { templates, variables }),
        ...(parts !== undefined && { parts }),
        ...(count !== undefined && { count }),
      }
      return new TextColumn(presence, stored, { isJson: column.type === 'json' })
    }
    default:
      return decodeValues(reader, column, { presence, slots })
  }
}

function decodeValues(
  reader: ByteReader,
  column: SchemaColumn,
  { presence, slots }: ReturnType<typeof decodePresence>,
): Column {
  switch (column.type) {
    case 'time':
      return decodeTimes(reader, presence, slots)
    case 'int':
      return decodeInts(reader, presence, slots)
    case 'float':
      return decodeFloats(reader, presence, slots)
    case 'bool':
      return decodeBools(reader, presence, slots)
    case 'hex':
    case 'uuid':
      return decodePacked(reader, presence, { slots, column })
    case 'keyword':
      return decodeKeywords(reader, presence, slots)
    case 'text':
    case 'json':
      return decodeTextColumn(reader, presence, { slots, isJson: column.type === 'json' })
  }
}
