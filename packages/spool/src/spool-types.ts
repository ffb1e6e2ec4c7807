import type { Logger } from '@millrace/logger'
import type { SpoolFileSystem } from './file-system.js'
import type { SpoolCodec, SpoolKey } from './spool-codec.js'

export interface SpoolConfig {
  /** Created when it is missing. Used by one process at a time. */
  readonly directory: string
  /** Bytes on disk. Default 1 GiB. */
  readonly bytesMax?: number
  /** A segment file takes no more records beyond this size. It is deleted when all of its records were removed. Default 16 MiB, at most an eighth of `bytesMax`. */
  readonly segmentBytes?: number
}

export interface SpoolDeps<T> {
  readonly codec: SpoolCodec<T>
  readonly logger: Logger
  /** Default: the file system of this machine. */
  readonly files?: SpoolFileSystem
}

/**
 * A bounded queue of records on the local disk: first in, first out. A record whose append has resolved is fsynced and survives SIGKILL and power
 * loss. A record that was removed may be read once more after a crash; a record that was not removed is never left out.
 */
export interface Spool<T> {
  /** Records that were appended (or are being appended) and not removed. */
  readonly records: number
  /** Bytes on disk, including removed records of the oldest segment file. */
  readonly bytes: number
  /** The part of `records` with this key. */
  recordsOf(key: SpoolKey): number
  /** Whether an append would be refused at once: there is no room, the disk failed within the last second, or it was full and has not taken a write since. */
  readonly isFull: boolean
  /** Whether an append of these records would be tried. When it is false, `append` writes nothing. */
  hasRoomFor(records: readonly T[]): boolean
  /**
   * Resolves when all records are fsynced; calls that come while the disk is busy share the next write and fsync.
   * @throws (rejects with) SPOOL_FULL, with `retryAfterSeconds`, when there is no room or the disk fails. None of the records counts then; after
   * a failed write they may still be found at the next start.
   */
  append(records: readonly T[]): Promise<void>
  /** The oldest records, in the order of their appends: at least one when there is one on disk. The same records again until `removeRead`. */
  read(recordsMax: number, bytesMax: number): Promise<readonly T[]>
  /** Removes the records that the last `read` returned. */
  removeRead(): Promise<void>
  /** Waits for appends and closes the files. The records stay on disk. */
  close(): Promise<void>
}
