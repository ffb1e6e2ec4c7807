import type { Logger } from '@millrace/logger'
import type { BrokerGroupListener, BrokerGroupMember, BrokerMembership } from '../../../driver/stream-driver.js'
import { GroupMember } from './group-member.js'
import type { GroupCoordinator } from './group-protocol.js'

interface GroupOffset {
  readonly partition: number
  readonly offset: number
}

interface BrokerGroupsDeps {
  openCoordinator(topic: string, group: string): GroupCoordinator
  /** Commits offsets of a group that has no members. */
  commitAlone(group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void>
  readonly logger: Logger
}

interface Membership {
  readonly topic: string
  readonly group: string
  readonly member: GroupMember
  readonly held: ReadonlySet<number>
}

/** The memberships of this process in groups of the broker. */
export class BrokerGroups {
  readonly #deps: BrokerGroupsDeps
  readonly #memberships = new Set<Membership>()

  constructor(deps: BrokerGroupsDeps) {
    this.#deps = deps
  }

  /** Tells the listener what each new assignment adds and takes away: partitions that stay are not mentioned. */
  async join(
    { topic, partitions }: { readonly topic: string; readonly partitions: number },
    { group, member: name, instance, sessionTimeoutMs }: BrokerGroupMember,
    listener: BrokerGroupListener,
  ): Promise<BrokerMembership> {
    const held = new Set<number>()
    let isListening = true
    const change = (wanted: readonly number[]) => {
      const revoked = [...held].filter((partition) => !wanted.includes(partition))
      const assigned = wanted.filter((partition) => !held.has(partition))
      for (const partition of revoked) held.delete(partition)
      for (const partition of assigned) held.add(partition)
      if (isListening && revoked.length > 0) listener.revoked(revoked)
      if (isListening && assigned.length > 0) listener.assigned(assigned)
    }
    const coordinator = this.#deps.openCoordinator(topic, group)
    const logger = this.#deps.logger.child({ topic, group, member: name })
    const member = await GroupMember.join(
      { topic, group, partitions, instance, sessionTimeoutMs, onAssigned: change, onLost: () => change([]) },
      { coordinator, logger },
    )
    const membership = { topic, group, member, held }
    this.#memberships.add(membership)
    return {
      leave: async () => {
        isListening = false
        this.#memberships.delete(membership)
        await member.leave()
      },
    }
  }

  /** Commits offsets for tools of the broker. Those of a partition that no membership of this process holds are left to its owner. */
  async commit(topic: string, group: string, offsets: readonly GroupOffset[]): Promise<void> {
    const own = [...this.#memberships].filter((one) => one.topic === topic && one.group === group)
    if (own.length === 0) return await this.#deps.commitAlone(group, topic, offsets)
    for (const { member, held } of own) member.commit(offsets.filter(({ partition }) => held.has(partition)))
  }

  async close(): Promise<void> {
    await Promise.all([...this.#memberships].map(({ member }) => member.leave()))
    this.#memberships.clear()
  }
}
