import { afterEach, beforeEach, expect, it } from '@jest/globals'
import { createMemoryDriver } from '@millrace/streams'
import { GroupTable } from '../src/consumer/group-table.js'
import { LeaseAssignment } from '../src/consumer/partition-assignment.js'
import { type Effects, openEffects } from './effects.js'

let effects: Effects
beforeEach(async () => {
  effects = await openEffects()
})
afterEach(() => effects.release())

const tableOf = (member: string) =>
  new GroupTable(effects.database, { group: 'store', stream: 'lines', member, leaseMs: 600_000 })

it('the lease assignment releases partitions of an earlier session beyond its share, so that another member can take them', async () => {
  const one = tableOf('one')
  await one.ensurePartitions(4)
  const first = new LeaseAssignment(createMemoryDriver(), 'lines', one, 4)
  expect(await first.take(new Set())).toHaveLength(4)
  // Its transaction fails, and another member joins before its next session.
  first.setLiveMembers(2)
  const kept = (await first.take(new Set())).map(({ partition }) => partition)
  expect(kept).toHaveLength(2)
  await one.heartbeat(new Map())
  const second = new LeaseAssignment(createMemoryDriver(), 'lines', tableOf('two'), 4)
  second.setLiveMembers(2)
  const taken = (await second.take(new Set())).map(({ partition }) => partition)
  expect(new Set([...kept, ...taken])).toEqual(new Set([0, 1, 2, 3]))
})
