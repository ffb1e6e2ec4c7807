import type { Readable } from 'node:stream'

/** What a store knows about an object. */
export interface ObjectInfo {
  readonly key: string
  readonly bytes: number
  /** When the object was put, by the clock of the store. In the answer of `put` to S3: by the clock of the caller. */
  readonly modifiedAt: Date
}

export interface PutOptions {
  /**
   * Whether `put` rejects with `OBJECT_EXISTS` when an object with the key exists. Of several callers at once exactly
   * one succeeds. Default false: the new object replaces the old one.
   *
   * The S3 driver repeats a request whose answer was lost, and recognizes the object of its own first attempt: `put`
   * resolves then.
   */
  readonly ifAbsent?: boolean
  /** Default `application/octet-stream`. The file driver does not keep it. */
  readonly contentType?: string
  /** Ends the call; nothing is stored then, unless the store had the whole object already. */
  readonly signal?: AbortSignal
}

export interface GetOptions {
  /**
   * The part of the object to read: whole numbers of at least 0, else `OBJECT_RANGE_INVALID`. It may reach beyond the
   * end of the object. Default: everything.
   */
  readonly range?: { readonly offset: number; readonly bytes?: number }
  /** Ends the call, and the body with an error. */
  readonly signal?: AbortSignal
}

export interface StoredObject {
  /** About the whole object, also when a range is read. */
  readonly info: ObjectInfo
  /**
   * The bytes. It ends with an error when fewer bytes arrive than the store announced, never early without one. It
   * must be read or destroyed.
   */
  readonly body: Readable
}

export interface ListOptions {
  /** Only keys that begin with it; it may end within a part of a key. Default: all. */
  readonly prefix?: string
  /** Only keys after it. */
  readonly after?: string
  readonly signal?: AbortSignal
}

/** The bytes of an object, whole or in pieces. */
export type ObjectBody = Uint8Array | AsyncIterable<Uint8Array>

/**
 * Objects under keys. An object is put as a whole and then never changes, except that another `put` replaces it. All
 * errors have a code of `objectStoreErrors`; errors of the body that a caller gives are passed on unchanged.
 *
 * A key is one or more parts with `/` between them, for example `events/2026/11/30/0001.zst`. A part consists of the
 * characters `A-Z a-z 0-9 . _ = + @ : , ~ -` and does not begin with a dot. No key may be the folder of another: with
 * `a/b` there must be no `a`; the file driver rejects it with `OBJECT_KEY_INVALID`, S3 does not notice.
 */
export interface ObjectStore {
  /** Where the objects are, without credentials, for messages: `file:///var/lib/archive` or `s3://bucket/prefix`. */
  readonly location: string
  /**
   * Stores an object with bounded memory; S3 takes up to 156 GiB, else `OBJECT_TOO_LARGE`. When it resolves, the object is durable. Readers see the old
   * object or the whole new one and never a part. When it rejects, nothing of the new object stays, except after
   * `OBJECT_STORE_UNAVAILABLE`, when the whole object may be stored.
   */
  put(key: string, body: ObjectBody, options?: PutOptions): Promise<ObjectInfo>
  /** Rejects with `OBJECT_NOT_FOUND`. A reader keeps the object that it began to read, also when it is replaced or deleted. */
  get(key: string, options?: GetOptions): Promise<StoredObject>
  /** Undefined when there is no such object. */
  head(key: string): Promise<ObjectInfo | undefined>
  /** In the order of the keys' bytes, without files and objects of others whose names are no valid keys. Objects that are put or deleted meanwhile may be missing or listed. */
  list(options?: ListOptions): AsyncIterable<ObjectInfo>
  /** Resolves also when there is no such object. */
  delete(key: string): Promise<void>
  /**
   * Removes what writers that were killed during a `put` have left behind and that has not grown since `before`.
   * Returns the number of abandoned uploads. Uploads that are not removed take room without end. On S3 these are all
   * uploads below the prefix, also those of other programs.
   */
  removeAbandonedUploads(before: Date): Promise<number>
  /** Resolves when the store can be reached, may be read and takes writes. It leaves nothing behind. */
  check(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Ends all connections. Calls after it reject. */
  close(): Promise<void>
}
