import type { Checkpoint, Compression, RecordFormat, TextEncoding } from '@millrace/import-files'
import type { Mapping } from '../mapping/mapping.js'

/**
 * - `queued`: nothing is in the table.
 * - `validating`: nothing is in the table; records are read, validated and staged.
 * - `loading`: the rows that `counts` names are in the table; in an atomic import none are.
 * - `paused`: as in the stage before it.
 * - `completed`, `completed_with_rejects`: all valid records are in the table.
 * - `failed`, `cancelled`: the rows that `counts` names are in the table, none for an atomic import.
 * - `undoing`: some of the job's changes are taken back.
 * - `undone`: none of the job's changes are in the table, except the rows that `keptRows` counts.
 */
export type ImportState =
  | 'queued'
  | 'validating'
  | 'loading'
  | 'paused'
  | 'completed'
  | 'completed_with_rejects'
  | 'failed'
  | 'cancelled'
  | 'undoing'
  | 'undone'

/**
 * - `insert`: a row whose key exists is rejected.
 * - `upsert`: it gets the values of the mapped columns.
 * - `replace`: as upsert, and rows whose key is not in the file are deleted.
 */
export type ImportMode = 'insert' | 'upsert' | 'replace'

/** Which of several valid records with one key is loaded. The others are rejected with `duplicate_in_file`; `reject` rejects all of them. */
export type DuplicateRule = 'last' | 'first' | 'reject'

export interface ImportSettings {
  readonly entity: string
  /** Key in the object store. */
  readonly source: string
  readonly compression: Compression
  readonly encoding: TextEncoding
  readonly format: RecordFormat
  readonly mapping: Mapping
  readonly mode: ImportMode
  readonly duplicates: DuplicateRule
  /** Whether one rejected record means that nothing is loaded. `replace` is always all or nothing. */
  readonly isAtomic: boolean
  /** The job fails when more records are rejected. Default: no limit. */
  readonly rejectsMax?: number
  /** Whether everything is checked and counted, and nothing is loaded. */
  readonly isDryRun: boolean
}

export interface ImportCounts {
  readonly read: number
  /** Records with at least one reject. */
  readonly rejected: number
  readonly created: number
  readonly updated: number
  /** Records whose row had these values already. */
  readonly unchanged: number
  /** Rows that were not in the file of a `replace`. */
  readonly deleted: number
}

export interface ImportJob {
  readonly id: string
  readonly tenantId: number
  readonly settings: ImportSettings
  readonly state: ImportState
  /** What a person has asked for. The worker does it between two batches. */
  readonly request: 'pause' | 'cancel' | undefined
  /** Where reading goes on. */
  readonly checkpoint: Checkpoint
  /** Whether the staging table holds all valid records, with duplicates and missing references marked. */
  readonly isStaged: boolean
  /** Rows in the staging table. */
  readonly stagedRows: number
  /** Blocks of the staging table that are loaded. */
  readonly loadedBlocks: number
  readonly counts: ImportCounts
  /** Rows that were changed after the import, and that its undo left as they are. */
  readonly keptRows: number
  readonly error: string | undefined
  /** Fences a worker that lost the job. */
  readonly epoch: bigint
}
