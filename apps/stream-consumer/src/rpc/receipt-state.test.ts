import { expect, it } from '@jest/globals'
import { DayPartitions, migrate, openDatabase } from '@millrace/database'
import { runWithContext } from '@millrace/logger'
import { createTestDatabase, takeRepeats } from '@millrace/testing'
import { VERDICT } from '../store/prepared-batch.js'
import { readReceipt } from './receipt-state.js'

const PRODUCER = '6f1f5f5e-58a4-4a3c-9f3f-3f0f4f3f2f1f'

it('a receipt can be read again and again while a caller waits, and is in flight until its frames are committed', async () => {
  const test = await createTestDatabase({ migrate })
  const database = openDatabase({ url: test.url })
  const frame = { partition: 0, sequence: 1, first: 0, records: 3 }
  const receipt = { tenantId: 1, producer: PRODUCER, frames: [frame] }
  await runWithContext({ requestId: 'waiting' }, async () => {
    for (let asked = 0; asked < 12; asked++)
      expect(await readReceipt(database, 'events', receipt)).toMatchObject({ state: 'in_flight' })
  })
  expect(takeRepeats()).toEqual([])
  await database.close()
  await test.release()
})

it('a receipt counts a dead letter as stored once it was replayed', async () => {
  const test = await createTestDatabase({ migrate })
  const database = openDatabase({ url: test.url })
  await new DayPartitions(database).ensure('event_journal', Date.now(), Date.now())
  const verdicts = Buffer.from([VERDICT.stored, VERDICT.duplicate, VERDICT.deadLettered, VERDICT.deadLettered])
  await database.query(
    `insert into event_journal (partition, producer, sequence, first_ordinal, records, duplicates, dead_lettered, position, verdicts, hashes)
      values (0, $1, 1, 0, 4, 1, 2, '1-0', $2, '')`,
    [PRODUCER, verdicts],
  )
  for (const [index, state] of [
    [2, 'replayed'],
    [3, 'pending'],
  ])
    await database.query(
      `insert into dead_letters (stream, tenant_id, partition, position, producer, sequence, record_index, message_id, code, reason, record, state)
        values ('events', 1, 0, '1-0', $1, 1, $2, 'm' || $2::integer, 'poison', 'refused', '', $3)`,
      [PRODUCER, index, state],
    )
  const frame = { partition: 0, sequence: 1, first: 0, records: 4 }
  expect(await readReceipt(database, 'events', { tenantId: 1, producer: PRODUCER, frames: [frame] })).toMatchObject({
    state: 'settled',
    stored: 2n,
    duplicate: 1n,
    deadLettered: 1n,
  })
  await database.close()
  await test.release()
})
