/** What one producer has acknowledged to one tenant, by its own count. accepted includes rejected. */
export interface Produced {
  readonly producer: string
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  /** Of accepted, at most so many that are in the producer's spool and not yet in the stream. */
  readonly spooled: number
}

/** What the consumer made of the frames of one producer, over all partitions. */
export interface Consumed {
  readonly producer: string
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  readonly stored: number
  readonly duplicate: number
  readonly deadLettered: number
}

/** Records of a producer that a gap in its frames' sequence says are gone. */
export interface Gap {
  readonly producer: string
  readonly lostRecords: number
}

/** How far a partition has been consumed. */
export interface PartitionPosition {
  readonly partition: number
  /** The stream driver's own text. */
  readonly position: string
}

/** Both sides of the ledger and the consumer's positions, of one moment. */
export interface LedgerSnapshot {
  readonly produced: readonly Produced[]
  readonly consumed: readonly Consumed[]
  readonly gaps: readonly Gap[]
  readonly positions: readonly PartitionPosition[]
}
