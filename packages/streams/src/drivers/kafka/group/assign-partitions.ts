/** A member of the group as the leader sees it. */
export interface GroupMemberView {
  readonly memberId: string
  /** The partitions that the member says it owns. */
  readonly owned: readonly number[]
  /** The generation in which it got them. */
  readonly generation: number
}

/**
 * Distributes the partitions from 0 to before `partitions`: every member gets the same number, or one more, and keeps as many of its own as that
 * allows. When two members claim a partition, the one of the newer generation has it. The order of the members does not matter.
 */
export function assignPartitions(members: readonly GroupMemberView[], partitions: number): Map<string, number[]> {
  const owners = findOwners(members, partitions)
  const ownedBy = (memberId: string) =>
    [...owners].flatMap(([partition, owner]) => (owner === memberId ? [partition] : []))
  // Members with many partitions come first: they get the places for one partition more.
  const order = members
    .map(({ memberId }) => ({ memberId, owned: ownedBy(memberId).sort((a, b) => a - b) }))
    .sort((a, b) => b.owned.length - a.owned.length || (a.memberId < b.memberId ? -1 : 1))
  const share = Math.floor(partitions / order.length)
  const larger = partitions % order.length
  const assigned = new Map(
    order.map(({ memberId, owned }, index) => [memberId, owned.slice(0, share + (index < larger ? 1 : 0))]),
  )
  const kept = new Set([...assigned.values()].flat())
  const free = Array.from({ length: partitions }, (_, partition) => partition).filter((one) => !kept.has(one))
  for (const [index, { memberId }] of order.entries()) {
    const own = assigned.get(memberId) as number[]
    own.push(...free.splice(0, share + (index < larger ? 1 : 0) - own.length))
    own.sort((a, b) => a - b)
  }
  return assigned
}

function findOwners(members: readonly GroupMemberView[], partitions: number): Map<number, string> {
  const owners = new Map<number, string>()
  const generations = new Map<number, number>()
  for (const { memberId, owned, generation } of [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))) {
    for (const partition of owned) {
      if (
        partition < 0 ||
        partition >= partitions ||
        generation <= (generations.get(partition) ?? Number.NEGATIVE_INFINITY)
      )
        continue
      owners.set(partition, memberId)
      generations.set(partition, generation)
    }
  }
  return owners
}
