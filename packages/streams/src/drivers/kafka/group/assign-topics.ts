import { assignPartitions, type GroupMemberView } from './assign-partitions.js'

/** A member of the group with the topic that it reads. */
export interface TopicMemberView extends GroupMemberView {
  readonly topic: string
  /** How many partitions of its topic there are to share out, if it says so. */
  readonly partitions: number | undefined
}

/** What one member gets. */
export interface TopicAssignment {
  readonly memberId: string
  readonly topic: string
  readonly partitions: readonly number[]
}

/**
 * Distributes the partitions of each topic among the members that read it. Members with different topics may be in one group: two streams, or two
 * installations on one Kafka cluster, may have the same STREAM_GROUP. The leader of the group decides for all of them.
 * @param own the leader's topic and the number of its partitions, which hold for all members with this topic
 */
export function assignTopics(
  members: readonly TopicMemberView[],
  own: { readonly topic: string; readonly partitions: number },
): TopicAssignment[] {
  return [...new Set(members.map(({ topic }) => topic))].flatMap((topic) => {
    const readers = members.filter((member) => member.topic === topic)
    const partitions = topic === own.topic ? own.partitions : Math.max(...readers.map(partitionsKnownBy))
    return [...assignPartitions(readers, partitions)].map(([memberId, assigned]) => ({
      memberId,
      topic,
      partitions: assigned,
    }))
  })
}

/** Members of an older release do not send the number of partitions of their topic. Then it is at least the highest partition that one of them owns, plus 1. */
function partitionsKnownBy({ partitions, owned }: TopicMemberView): number {
  return partitions ?? Math.max(0, ...owned.map((partition) => partition + 1))
}
