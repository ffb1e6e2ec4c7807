import type { ColumnFormat } from '@millrace/import-files'

/** Changes a value before it is validated. The steps of a column run in their order; null stays null, except for `default`. */
export type TransformStep =
  | { readonly step: 'trim' | 'lower' | 'upper' | 'hash' }
  /** Values that are not in the table stay as they are. */
  | { readonly step: 'map'; readonly table: Readonly<Record<string, string>> }
  /** Null and empty texts become this value. */
  | { readonly step: 'default'; readonly value: string }
  /** These texts become null. */
  | { readonly step: 'null_if'; readonly values: readonly string[] }
  /** The part with this number, from 1, between separators; null if there are fewer. */
  | { readonly step: 'split'; readonly separator: string; readonly part: number }

/** Where the values of one column of the entity come from. */
export interface MappedColumn {
  /** Name of the column in the entity. */
  readonly to: string
  /** Positions in the file, from 1. Values of several positions that are not null are joined. Empty: only `default` gives a value. */
  readonly from: readonly number[]
  /** Between the values of several positions. Default: a space. */
  readonly joinBy?: string
  readonly steps?: readonly TransformStep[]
  /** How numbers, dates, times and booleans are written; text or absent: as in JSON and ISO 8601. */
  readonly format?: ColumnFormat
}

/** How the columns of a file become columns of an entity. Columns of the entity that are not mapped keep their value in rows that exist. */
export type Mapping = readonly MappedColumn[]
