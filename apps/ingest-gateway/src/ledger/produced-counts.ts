/** Cumulative counts of one tenant since this process began. accepted includes rejected. */
export interface Produced {
  accepted: number
  rejected: number
}

/** What this process has acknowledged, by tenant: the gateway's own side of the ledger. */
export class ProducedCounts {
  readonly #byTenant = new Map<number, Produced>()
  /** Tenants whose counts moved since the last `takeChanged`. */
  #changed = new Set<number>()

  add(tenantId: number, accepted: number, rejected: number): void {
    const counts = this.#byTenant.get(tenantId)
    if (counts === undefined) this.#byTenant.set(tenantId, { accepted, rejected })
    else {
      counts.accepted += accepted
      counts.rejected += rejected
    }
    this.#changed.add(tenantId)
  }

  /** The tenants whose counts moved, with their counts; they are forgotten as changed. */
  takeChanged(): [tenantId: number, counts: Produced][] {
    const changed = this.#changed
    this.#changed = new Set()
    return [...changed].map((tenantId) => [tenantId, { ...(this.#byTenant.get(tenantId) as Produced) }])
  }

  /** Marks tenants as changed again, after a flush that failed. */
  restore(tenantIds: Iterable<number>): void {
    for (const tenantId of tenantIds) this.#changed.add(tenantId)
  }
}
