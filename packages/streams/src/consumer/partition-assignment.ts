import type { BrokerGroupMember, BrokerMembership, StreamDriver, StreamReader } from '../driver/stream-driver.js'
import type { GroupTable, TakenPartition } from './group-table.js'

/** How often a member asks whether the previous owner has released a partition, in ms. */
const CLAIM_EVERY_MS = 100

/** Decides which partitions this member should hold: its share of the leases, or the partitions that the broker assigns. */
export interface PartitionAssignment {
  /** Opens a reader; the caller closes it. */
  openReader(): Promise<StreamReader>
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

interface BrokerAssignmentDeps {
  readonly driver: StreamDriver
  readonly table: GroupTable
  /** Called when the broker has changed the assignment. */
  readonly onChange: () => void
  /** Monotonic ms. */
  readonly now: () => number
  /** How long a partition is left to its previous owner, which commits its last batch and releases it, in ms. */
  readonly handOverMs: number
}

/**
 * The broker assigns partitions. They are claimed in PostgreSQL as well, so that the new epoch fences the previous owner. A previous owner that is
 * alive learns of the new assignment at the same time: it is given `handOverMs` to release the partition, because a commit of it that is fenced
 * would cost it its whole session.
 */
export class BrokerAssignment implements PartitionAssignment {
  readonly #deps: BrokerAssignmentDeps
  readonly #stream: string
  /** The partitions that the broker has assigned, with the time of the assignment. */
  readonly #wanted: ReadonlyMap<number, number>
  readonly #membership: BrokerMembership
  #nextTakeMs = 0
  #timer: NodeJS.Timeout | undefined

  private constructor(
    deps: BrokerAssignmentDeps,
    stream: string,
    { membership, wanted }: { membership: BrokerMembership; wanted: ReadonlyMap<number, number> },
  ) {
    this.#deps = deps
    this.#stream = stream
    this.#membership = membership
    this.#wanted = wanted
  }

  static async join(member: BrokerGroupMember, deps: BrokerAssignmentDeps): Promise<BrokerAssignment> {
    const { driver, onChange, now } = deps
    if (driver.joinGroup === undefined)
      throw new TypeError(`the driver ${driver.name} has assignment "broker" but no joinGroup`)
    const wanted = new Map<number, number>()
    const membership = await driver.joinGroup(member, {
      assigned: (partitions) => {
        for (const partition of partitions) wanted.set(partition, now())
        onChange()
      },
      revoked: (partitions) => {
        for (const partition of partitions) wanted.delete(partition)
        onChange()
      },
    })
    return new BrokerAssignment(deps, member.stream, { membership, wanted })
  }

  openReader(): Promise<StreamReader> {
    return this.#deps.driver.openReader(this.#stream)
  }

  setLiveMembers(): void {}

  isDue(held: ReadonlySet<number>): boolean {
    if ([...held].some((partition) => !this.#wanted.has(partition))) return true
    return held.size < this.#wanted.size && this.#deps.now() >= this.#nextTakeMs
  }

  surplus(held: ReadonlySet<number>): number[] {
    return [...held].filter((partition) => !this.#wanted.has(partition))
  }

  async take(held: ReadonlySet<number>): Promise<TakenPartition[]> {
    const missing = [...this.#wanted].filter(([partition]) => !held.has(partition))
    if (missing.length === 0) return []
    const { table, now, handOverMs } = this.#deps
    const numbers = missing.map(([partition]) => partition)
    const overdue = missing.filter(([, sinceMs]) => now() - sinceMs >= handOverMs).map(([partition]) => partition)
    const taken = await table.claim(numbers, overdue)
    if (taken.length < missing.length) this.#claimAgainIn(Math.min(CLAIM_EVERY_MS, handOverMs / 4))
    return taken
  }

  close(): Promise<void> {
    clearTimeout(this.#timer)
    return this.#membership.leave()
  }

  #claimAgainIn(ms: number): void {
    this.#nextTakeMs = this.#deps.now() + ms
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#deps.onChange, ms + 1)
  }
}
