/** What the waiting records are counted by. */
export type SpoolKey = number | string

/** How the records of a spool become bytes and back. Called for every record, so no method should copy large buffers. */
export interface SpoolCodec<T> {
  /** The bytes of a record in one or more parts, at least one byte in all. They are not changed until the append has settled. */
  encode(record: T): readonly Buffer[]
  /** `bytes` is a view of a larger buffer: copy what is kept for long. May throw; the record then counts as damaged. */
  decode(bytes: Buffer): T
  /** Records are counted by this key, see `Spool.recordsOf`. */
  keyOf(record: T): SpoolKey
}
