import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { assignPartitions, type GroupMemberView } from './assign-partitions.js'

const memberIds = fc.uniqueArray(
  fc.integer({ min: 0, max: 99 }).map((id) => `member-${id}`),
  { minLength: 1, maxLength: 8 },
)
/** Members that claim whatever partitions they like. */
const anyMembers = memberIds.chain((ids) =>
  fc.tuple(
    ...ids.map((memberId) =>
      fc.record({
        memberId: fc.constant(memberId),
        owned: fc.uniqueArray(fc.integer({ min: -1, max: 40 })),
        generation: fc.integer({ min: -1, max: 3 }),
      }),
    ),
  ),
)

const after = (assigned: ReadonlyMap<string, readonly number[]>, generation: number): GroupMemberView[] =>
  [...assigned].map(([memberId, owned]) => ({ memberId, owned, generation }))

describe('the assignment of partitions to the members of a group', () => {
  it('gives every partition to one member, and every member the same number or one more, whatever the members claim', () => {
    fc.assert(
      fc.property(anyMembers, fc.integer({ min: 1, max: 32 }), (members, partitions) => {
        const assigned = assignPartitions(members, partitions)
        expect([...assigned.keys()].sort()).toEqual(members.map(({ memberId }) => memberId).sort())
        const all = [...assigned.values()].flat().sort((a, b) => a - b)
        expect(all).toEqual(Array.from({ length: partitions }, (_, partition) => partition))
        const sizes = [...assigned.values()].map(({ length }) => length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('moves nothing when nobody joins or leaves', () => {
    fc.assert(
      fc.property(anyMembers, fc.integer({ min: 1, max: 32 }), (members, partitions) => {
        const first = assignPartitions(members, partitions)
        expect(assignPartitions(after(first, 7).reverse(), partitions)).toEqual(first)
      }),
    )
  })

  it('moves only partitions of the member that leaves, and only as many partitions to a new member as it has to get', () => {
    fc.assert(
      fc.property(memberIds, fc.integer({ min: 1, max: 32 }), (ids, partitions) => {
        const one = { memberId: 'one', owned: [], generation: -1 }
        const others = ids.map((memberId) => ({ memberId, owned: [], generation: -1 }))
        const without = assignPartitions(others, partitions)
        const joined = assignPartitions([...after(without, 1), one], partitions)
        const left = assignPartitions(
          after(joined, 2).filter(({ memberId }) => memberId !== 'one'),
          partitions,
        )
        for (const id of ids) {
          const lost = without.get(id)?.filter((partition) => !joined.get('one')?.includes(partition)) ?? []
          expect(joined.get(id)).toEqual(expect.arrayContaining(lost))
          expect(left.get(id)).toEqual(expect.arrayContaining(joined.get(id) as number[]))
        }
        expect(joined.get('one')?.length).toBe(Math.floor(partitions / (ids.length + 1)) + extra(joined))
      }),
    )
  })

  it.each([
    ['frozen', 'other'],
    ['other', 'frozen'],
  ])(
    'leaves a partition that %s and %s claim to the one of the newer generation, whatever their names',
    (older, newer) => {
      const assigned = assignPartitions(
        [
          { memberId: older, owned: [0, 1], generation: 4 },
          { memberId: newer, owned: [0], generation: 5 },
        ],
        2,
      )
      expect(Object.fromEntries(assigned)).toEqual({ [older]: [1], [newer]: [0] })
    },
  )
})

/** Whether the member `one` has got one partition more than others, which is allowed when the number of partitions cannot be divided. */
function extra(assigned: ReadonlyMap<string, readonly number[]>): number {
  const sizes = [...assigned.values()].map(({ length }) => length)
  return (assigned.get('one')?.length ?? 0) > Math.min(...sizes)
    ? 1
    : Math.max(...sizes) === Math.min(...sizes)
      ? remainder(sizes)
      : 0
}

function remainder(sizes: readonly number[]): number {
  const sum = sizes.reduce((a, b) => a + b, 0)
  return (sizes[0] ?? 0) - Math.floor(sum / sizes.length)
}
