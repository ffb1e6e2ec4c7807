/** Stored records of one tenant in one second. */
export interface LiveDelta {
  /** ms since the epoch, a whole second. */
  readonly time: number
  readonly tenant: number
  readonly events: number
  readonly byEvent: Readonly<Record<string, number>>
}

/** Names beyond so many a tenant and second are counted together. */
const NAMES_MAX = 200
const OTHERS = '$other'

/** Adds up what was stored until somebody takes it. */
export class LiveCounts {
  #tenants = new Map<number, Map<string, number>>()

  add(tenantId: number, event: string, count: number): void {
    if (count === 0) return
    let names = this.#tenants.get(tenantId)
    if (names === undefined) {
      names = new Map()
      this.#tenants.set(tenantId, names)
    }
    const name = names.has(event) || names.size < NAMES_MAX ? event : OTHERS
    names.set(name, (names.get(name) ?? 0) + count)
  }

  /** What was counted since the last call, one delta a tenant that had anything. */
  take(nowMs: number): LiveDelta[] {
    const tenants = this.#tenants
    this.#tenants = new Map()
    const time = Math.floor(nowMs / 1000) * 1000
    return [...tenants].map(([tenant, names]) => ({
      time,
      tenant,
      events: [...names.values()].reduce((sum, count) => sum + count, 0),
      byEvent: Object.fromEntries(names),
    }))
  }
}
