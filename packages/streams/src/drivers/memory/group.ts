import type { BrokerGroupListener } from '../../driver/stream-driver.js'

/** Assigns partitions as a broker does: whenever a member joins or leaves, all partitions are distributed evenly again. */
export class MemoryGroup {
  readonly #partitions: number
  readonly #members = new Map<string, { listener: BrokerGroupListener; owned: Set<number> }>()

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  join(member: string, listener: BrokerGroupListener): void {
    this.#members.set(member, { listener, owned: new Set() })
    this.#share()
  }

  leave(member: string): void {
    this.#members.delete(member)
    this.#share()
  }

  #share(): void {
    const members = [...this.#members.values()]
    const wanted = members.map(() => new Set<number>())
    for (let partition = 0; partition < this.#partitions; partition++)
      wanted[partition % members.length]?.add(partition)
    members.forEach(({ listener, owned }, index) => {
      const lost = [...owned].filter((partition) => !wanted[index]?.has(partition))
      for (const partition of lost) owned.delete(partition)
      if (lost.length > 0) listener.revoked(lost)
    })
    members.forEach(({ listener, owned }, index) => {
      const gained = [...(wanted[index] ?? [])].filter((partition) => !owned.has(partition))
      for (const partition of gained) owned.add(partition)
      if (gained.length > 0) listener.assigned(gained)
    })
  }
}
