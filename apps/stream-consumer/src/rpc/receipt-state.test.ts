import { expect, it } from '@jest/globals'
import { migrate, openDatabase } from '@millrace/database'
import { runWithContext } from '@millrace/logger'
import { createTestDatabase, takeRepeats } from '@millrace/testing'
import { readReceipt } from './receipt-state.js'

it('a receipt can be read again and again while a caller waits, and is in flight until its frames are committed', async () => {
  const test = await createTestDatabase({ migrate })
  const database = openDatabase({ url: test.url })
  const frame = { partition: 0, sequence: 1, first: 0, records: 3 }
  const receipt = { tenantId: 1, producer: '6f1f5f5e-58a4-4a3c-9f3f-3f0f4f3f2f1f', frames: [frame] }
  await runWithContext({ requestId: 'waiting' }, async () => {
    for (let asked = 0; asked < 12; asked++)
      expect(await readReceipt(database, 'events', receipt)).toMatchObject({ state: 'in_flight' })
  })
  expect(takeRepeats()).toEqual([])
  await database.close()
  await test.release()
})
