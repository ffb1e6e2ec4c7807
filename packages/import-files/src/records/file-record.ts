/** The value of a column in one record; null: the file says that there is no value. */
export type Cell = string | null

interface Place {
  /** 1 for the first line of the file. */
  readonly line: number
  /** 1 for the first record; a header is not a record. */
  readonly number: number
}

/** Where reading can go on after a restart: everything before it has been returned by the reader. */
export interface Checkpoint {
  /** Bytes of the file, decompressed and as UTF-8 without byte order mark. */
  readonly offset: number
  /** Lines before this place. */
  readonly lines: number
  /** Records before this place. */
  readonly records: number
}

export const FILE_START: Checkpoint = { offset: 0, lines: 0, records: 0 }

/** Why a record cannot be read. Every code is documented in the README. */
export type RecordFaultCode =
  | 'column_count'
  | 'quote_not_closed'
  | 'text_after_quote'
  | 'record_too_large'
  | 'too_many_columns'
  | 'invalid_utf8'
  | 'nul_character'
  | 'invalid_json'
  | 'not_an_object'

export interface ReadRecord extends Place {
  readonly kind: 'record'
  /** One for each column. */
  readonly cells: readonly Cell[]
  /** Members of a JSON object that are no column; empty for other formats. */
  readonly otherMembers: readonly string[]
}

export interface RejectedRecord extends Place {
  readonly kind: 'rejected'
  readonly code: RecordFaultCode
  /** A fact in lower case, for people. */
  readonly reason: string
  /** 1 for the first column; undefined when the fault is in no single column. */
  readonly column: number | undefined
  /** Bytes of the file before the fault, counted as in `Checkpoint.offset`. */
  readonly offset: number
  /** The bytes of the record, cut at `rejectedBytesMax`. */
  readonly bytes: Buffer
  /** Whether `bytes` is only the beginning. */
  readonly isCut: boolean
}

export type FileRecord = ReadRecord | RejectedRecord

export interface ReaderLimits {
  /** A record beyond this size is rejected. */
  readonly recordBytesMax: number
  /** A record with more columns is rejected. */
  readonly columnsMax: number
  /** At most these many bytes of a rejected record are kept. */
  readonly rejectedBytesMax: number
}

/** A cell of 1 MiB fits, with all of its quotes doubled and room for other cells. PostgreSQL has at most 1,600 columns in a table. */
export const DEFAULT_LIMITS: ReaderLimits = {
  recordBytesMax: 4 * 1024 * 1024,
  columnsMax: 10_000,
  rejectedBytesMax: 64 * 1024,
}

/**
 * Turns bytes into records. The records do not depend on how the bytes are split into pieces. Every record of the input is returned once, read or
 * rejected, in the order of the file. Memory: a few times `recordBytesMax` at most.
 */
export interface RecordReader {
  /** Returns the records that are complete by now. `bytes` may be used again afterwards. */
  push(bytes: Uint8Array): FileRecord[]
  /** Returns the rest; the reader is not used afterwards. */
  end(): FileRecord[]
  /** The place after the last record that was returned. */
  readonly checkpoint: Checkpoint
}
