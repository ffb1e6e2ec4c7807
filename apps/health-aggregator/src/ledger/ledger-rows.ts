/** What one producer has acknowledged to one tenant, by its own count. `accepted` includes `rejected`. */
export interface Produced {
  readonly producer: string
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  /** How many of the accepted records may still be in the producer's spool instead of the stream; an upper bound. */
  readonly spooled: number
}

/** The consumer's counts for the frames of one producer and tenant, over all partitions. */
export interface Consumed {
  readonly producer: string
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  readonly stored: number
  readonly duplicate: number
  readonly deadLettered: number
}

/** Stored records of one tenant whose rows retention has deleted. */
export interface Expired {
  readonly tenantId: number
  readonly records: number
}

/** The counts from which the balance of each tenant is computed. */
export interface Counts {
  readonly produced: readonly Produced[]
  readonly consumed: readonly Consumed[]
  readonly expired: readonly Expired[]
}

/** Records that are missing because the sequence of a producer's frames has a gap. */
export interface Gap {
  readonly producer: string
  readonly lostRecords: number
}

/** Up to where a partition has been consumed. */
export interface PartitionPosition {
  readonly partition: number
  /** A position in the stream driver's own format. */
  readonly position: string
}

/** Both sides of the ledger and the consumer's positions at one moment. */
export interface LedgerSnapshot extends Counts {
  readonly gaps: readonly Gap[]
  readonly positions: readonly PartitionPosition[]
}
