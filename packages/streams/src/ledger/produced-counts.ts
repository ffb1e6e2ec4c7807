/**
 * Counts of one tenant since this process started. `accepted` includes `rejected`. `spooled` is the part of `accepted` that was acknowledged
 * from the spool and may not be in the stream yet.
 */
export interface Produced {
  accepted: number
  rejected: number
  spooled: number
}

/** What this process has acknowledged for each tenant: the producer's side of the ledger. */
export class ProducedCounts {
  readonly #byTenant = new Map<number, Produced>()
  /** Tenants whose counts changed since the last `takeChanged`. */
  #changed = new Set<number>()

  add(tenantId: number, produced: Produced): void {
    const counts = this.#byTenant.get(tenantId)
    if (counts === undefined) this.#byTenant.set(tenantId, { ...produced })
    else {
      counts.accepted += produced.accepted
      counts.rejected += produced.rejected
      counts.spooled += produced.spooled
    }
    this.#changed.add(tenantId)
  }

  /** Sets all spooled counts to 0. Call it when the spool is empty. */
  clearSpooled(): void {
    for (const [tenantId, counts] of this.#byTenant) {
      if (counts.spooled === 0) continue
      counts.spooled = 0
      this.#changed.add(tenantId)
    }
  }

  /** The tenants whose counts changed since the last call, with their counts. */
  takeChanged(): [tenantId: number, counts: Produced][] {
    const changed = this.#changed
    this.#changed = new Set()
    return [...changed].map((tenantId) => [tenantId, { ...(this.#byTenant.get(tenantId) as Produced) }])
  }

  /** Marks tenants as changed again after a failed flush. */
  restore(tenantIds: Iterable<number>): void {
    for (const tenantId of tenantIds) this.#changed.add(tenantId)
  }
}
