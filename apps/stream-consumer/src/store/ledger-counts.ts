/** What became of the records of one producer and tenant on one partition, in one batch. All may be added to what is stored. */
export interface LedgerCount {
  readonly partition: number
  readonly producer: string
  readonly tenantId: number
  accepted: number
  rejected: number
  stored: number
  duplicate: number
  deadLettered: number
}

/** Counts by (partition, producer, tenant), kept so that the caller may hold on to one of them through a run of records. */
export class LedgerCounts {
  readonly #counts = new Map<string, LedgerCount>()

  of(partition: number, producer: string, tenantId: number): LedgerCount {
    const key = `${partition} ${tenantId} ${producer}`
    let count = this.#counts.get(key)
    if (count === undefined) {
      count = { partition, producer, tenantId, accepted: 0, rejected: 0, stored: 0, duplicate: 0, deadLettered: 0 }
      this.#counts.set(key, count)
    }
    return count
  }

  /** In the order of the table's key, so that two writers lock rows in the same order. */
  sorted(): LedgerCount[] {
    return [...this.#counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
  }
}
