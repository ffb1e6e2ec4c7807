/**
 * Counts of the verdicts on the records of one producer, tenant and partition in one batch; they are added to the
 * stored totals.
 */
export interface ConsumedCount {
  readonly partition: number
  readonly producer: string
  readonly tenantId: number
  accepted: number
  rejected: number
  stored: number
  duplicate: number
  deadLettered: number
}

/**
 * The counts by (partition, producer, tenant). Callers may keep one of them while records of the same key follow each
 * other.
 */
export class ConsumedCounts {
  readonly #counts = new Map<string, ConsumedCount>()

  of(partition: number, producer: string, tenantId: number): ConsumedCount {
    const key = `${partition} ${tenantId} ${producer}`
    let count = this.#counts.get(key)
    if (count === undefined) {
      count = { partition, producer, tenantId, accepted: 0, rejected: 0, stored: 0, duplicate: 0, deadLettered: 0 }
      this.#counts.set(key, count)
    }
    return count
  }

  /** In key order, so that two writers lock rows in the same order. */
  sorted(): ConsumedCount[] {
    return [...this.#counts.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, count]) => count)
  }
}
