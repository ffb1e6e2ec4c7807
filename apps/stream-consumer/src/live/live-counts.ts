/** Stored records of one tenant in one second. */
export interface LiveDelta {
  /** ms since the epoch, a whole second. */
  readonly time: number
  readonly tenant: number
  readonly events: number
  readonly byEvent: Readonly<Record<string, number>>
}

/** Event names for each tenant and second; further names are counted together as `$other`. */
const NAMES_MAX = 200
const OTHERS = '$other'

/** Counts stored records until they are taken. */
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

  /** The counts since the last call, one delta for each tenant that has any. */
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
