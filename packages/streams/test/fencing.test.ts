import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Connection } from '@millrace/database'
import { commitStatement } from '../src/consumer/commit-statement.js'
import { GroupTable, type TakenPartition } from '../src/consumer/group-table.js'
import { PartitionState } from '../src/consumer/partition-state.js'
import { type Effects, openEffects } from './effects.js'

const GROUP = { group: 'store', stream: 'lines', leaseMs: 600_000 }

describe('the fence of a consumer group', () => {
  let effects: Effects
  let connection: Connection

  beforeEach(async () => {
    effects = await openEffects()
    connection = await effects.database.connection()
    await tableOf('one').ensurePartitions(2)
  })
  afterEach(async () => {
    await connection.close()
    await effects.release()
  })

  const tableOf = (member: string) => new GroupTable(effects.database, { ...GROUP, member })

  /** One frame read in each partition, as a session would commit it. */
  const commitsOf = (taken: readonly TakenPartition[], position: string) =>
    taken.map((row) => {
      const state = new PartitionState(row, [], true)
      state.advance(position, 1_000)
      return state.takeCommit()
    })

  /** Stores `line` and the positions of `taken` in one transaction; `meanwhile` runs right before its COMMIT is sent. */
  const store = (
    member: string,
    taken: readonly TakenPartition[],
    line: string,
    meanwhile: () => Promise<unknown> = async () => undefined,
  ) =>
    connection.transaction(async (tx) => {
      await tx.query('insert into effects values (0, 0, $1)', [line])
      await meanwhile()
      tx.atCommit(commitStatement({ ...GROUP, member }, commitsOf(taken, line), 'all'))
    })

  const stored = async () => (await effects.lines()).get(0) ?? []
  const positions = async () => {
    const { rows } = await effects.database.query<{ position: string }>(
      'select position from stream_partitions order by partition',
    )
    return rows.map(({ position }) => position)
  }

  it('rejects a late commit of an earlier session of the same member and leaves none of its effects', async () => {
    const earlier = await tableOf('one').take(2, [])
    let later: TakenPartition[] = []
    const late = store('one', earlier, 'late', async () => {
      // The member lost its connection and began a new session; PostgreSQL has not received the COMMIT of the old one yet.
      later = await tableOf('one').take(2, [])
    })
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect([await stored(), await positions()]).toEqual([[], ['', '']])
    await store('one', later, 'in time')
    expect([await stored(), await positions()]).toEqual([['in time'], ['in time', 'in time']])
  })

  it('rejects a late commit of a member whose partitions another member has taken over', async () => {
    const earlier = await tableOf('one').take(2, [])
    const late = store('one', earlier, 'late', async () => {
      await tableOf('one').leave()
      await tableOf('two').take(2, [])
    })
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect(await stored()).toEqual([])
  })

  it('rejects a late commit of a partition that the member has given back, even if nobody has taken it yet', async () => {
    const earlier = await tableOf('one').take(2, [])
    const late = store('one', earlier, 'late', () => tableOf('one').release([0]))
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect(await stored()).toEqual([])
  })

  it('rejects a whole commit when only one of its partitions has been taken over', async () => {
    const earlier = await tableOf('one').take(2, [])
    const late = store('one', earlier, 'late', async () => {
      await tableOf('one').release([1])
      await tableOf('two').take(1, [])
    })
    await expect(late).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect([await stored(), await positions()]).toEqual([[], ['', '']])
  })

  it('does not let an earlier session of the same member reset a position', async () => {
    const [earlier] = await tableOf('one').take(1, [])
    const later = await tableOf('one').take(1, [])
    await store('one', later, 'in time')
    expect(await tableOf('one').rewind(earlier as TakenPartition, 0)).toBe(false)
    expect((await positions())[0]).toBe('in time')
  })
})
