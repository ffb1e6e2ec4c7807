import type { BrokerMembership, StreamDriver, StreamReader } from '../driver/stream-driver.js'
import type { GroupTable, TakenPartition } from './group-table.js'

/** Decides which partitions this member should hold: its share of the leases, or the partitions that the broker assigns. */
export interface PartitionAssignment {
  /** Opens a reader. Close it by `closeReader`. */
  openReader(): Promise<StreamReader>
  closeReader(reader: StreamReader): Promise<void>
  /** Called with the number of live members after each heartbeat. */
  setLiveMembers(members: number): void
  /** Whether partitions should be taken or released. Cheap. */
  isDue(held: ReadonlySet<number>): boolean
  /** The held partitions to release. */
  surplus(held: ReadonlySet<number>): number[]
  /** Takes partitions in PostgreSQL. */
  take(held: ReadonlySet<number>): Promise<TakenPartition[]>
  close(): Promise<void>
}

/** Every member takes free partitions until it has its share, and releases partitions beyond its share. */
export class LeaseAssignment implements PartitionAssignment {
  readonly #driver: StreamDriver
  readonly #stream: string
  readonly #table: GroupTable
  readonly #partitions: number
  #liveMembers = 1
  /** One attempt a heartbeat: members with too many partitions release them only at their heartbeats. */
  #mayTake = true

  constructor(driver: StreamDriver, stream: string, table: GroupTable, partitions: number) {
    this.#driver = driver
    this.#stream = stream
    this.#table = table
    this.#partitions = partitions
  }

  openReader(): Promise<StreamReader> {
    return this.#driver.openReader(this.#stream)
  }

  closeReader(reader: StreamReader): Promise<void> {
    return reader.close()
  }

  setLiveMembers(members: number): void {
    this.#liveMembers = members
    this.#mayTake = true
  }

  isDue(held: ReadonlySet<number>): boolean {
    return held.size > this.#share || (held.size < this.#share && this.#mayTake)
  }

  surplus(held: ReadonlySet<number>): number[] {
    return [...held].sort((a, b) => b - a).slice(0, Math.max(0, held.size - this.#share))
  }

  async take(held: ReadonlySet<number>): Promise<TakenPartition[]> {
    this.#mayTake = false
    const missing = this.#share - held.size
    const taken = missing > 0 ? await this.#table.take(missing, [...held]) : []
    // An earlier session may have held more. Heartbeats renew every lease under this member's name, so nobody would ever read those partitions.
    if (held.size === 0) await this.#table.releaseAllExcept(taken.map(({ partition }) => partition))
    return taken
  }

  async close(): Promise<void> {}

  get #share(): number {
    return Math.ceil(this.#partitions / this.#liveMembers)
  }
}

/** The broker assigns partitions. They are claimed in PostgreSQL as well, so that the new epoch fences the previous owner. */
export class BrokerAssignment implements PartitionAssignment {
  readonly #table: GroupTable
  readonly #membership: BrokerMembership
  readonly #wanted: ReadonlySet<number>

  private constructor(table: GroupTable, membership: BrokerMembership, wanted: ReadonlySet<number>) {
    this.#table = table
    this.#membership = membership
    this.#wanted = wanted
  }

  static async join(
    driver: StreamDriver,
    { stream, group, member }: { stream: string; group: string; member: string },
    table: GroupTable,
    onChange: () => void,
  ): Promise<BrokerAssignment> {
    if (driver.joinGroup === undefined)
      throw new TypeError(`the driver ${driver.name} has assignment "broker" but no joinGroup`)
    const wanted = new Set<number>()
    const membership = await driver.joinGroup(stream, group, member, {
      assigned: (partitions) => {
        for (const partition of partitions) wanted.add(partition)
        onChange()
      },
      revoked: (partitions) => {
        for (const partition of partitions) wanted.delete(partition)
        onChange()
      },
    })
    return new BrokerAssignment(table, membership, wanted)
  }

  async openReader(): Promise<StreamReader> {
    return this.#membership.reader
  }

  async closeReader(reader: StreamReader): Promise<void> {
    for (const partition of this.#wanted) reader.remove(partition)
  }

  setLiveMembers(): void {}

  isDue(held: ReadonlySet<number>): boolean {
    return held.size !== this.#wanted.size || [...held].some((partition) => !this.#wanted.has(partition))
  }

  surplus(held: ReadonlySet<number>): number[] {
    return [...held].filter((partition) => !this.#wanted.has(partition))
  }

  async take(held: ReadonlySet<number>): Promise<TakenPartition[]> {
    const missing = [...this.#wanted].filter((partition) => !held.has(partition))
    return missing.length > 0 ? await this.#table.claim(missing) : []
  }

  async close(): Promise<void> {
    await this.#membership.leave()
    await this.#membership.reader.close()
  }
}
