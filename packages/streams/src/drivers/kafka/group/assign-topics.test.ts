import { describe, expect, it } from '@jest/globals'
import { assignTopics, type TopicMemberView } from './assign-topics.js'

const member = (memberId: string, topic: string, given: Partial<TopicMemberView> = {}): TopicMemberView => ({
  memberId,
  topic,
  partitions: undefined,
  owned: [],
  generation: -1,
  ...given,
})

describe('the assignment of partitions in a group whose members read different topics', () => {
  it('gives each member partitions of the topic that it reads, and every partition of each topic to one of them', () => {
    const members = [
      member('a', 'lines', { partitions: 99 }),
      member('b', 'logs', { partitions: 3 }),
      member('c', 'lines'),
      member('d', 'logs', { partitions: 2 }),
    ]
    expect(assignTopics(members, { topic: 'lines', partitions: 4 })).toEqual([
      { memberId: 'a', topic: 'lines', partitions: [0, 1] },
      { memberId: 'c', topic: 'lines', partitions: [2, 3] },
      { memberId: 'b', topic: 'logs', partitions: [0, 1] },
      { memberId: 'd', topic: 'logs', partitions: [2] },
    ])
  })

  it('leaves a member of another topic what it owns when nobody says how many partitions that has', () => {
    const members = [member('a', 'lines'), member('b', 'logs', { owned: [0, 1], generation: 4 }), member('c', 'more')]
    expect(assignTopics(members, { topic: 'lines', partitions: 2 })).toEqual([
      { memberId: 'a', topic: 'lines', partitions: [0, 1] },
      { memberId: 'b', topic: 'logs', partitions: [0, 1] },
      { memberId: 'c', topic: 'more', partitions: [] },
    ])
  })
})
