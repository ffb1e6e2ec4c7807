import { describe, expect, it } from '@jest/globals'
import type { QueueState } from '../queues/queue-state.js'
import { createQueuesCheck } from './queues-check.js'

const partition = { partition: 0, lagRecords: 0, owner: 'a', blockedReason: null, watermark: null }
const state: QueueState = { partitions: [partition], expiringPartitions: [], deadLetters: 0 }
const ledger = { unbalancedTenants: 0, inFlight: 0, lost: 0, verifiedAtMs: null }

async function run(differences: Partial<QueueState>, unbalancedTenants = 0) {
  const check = createQueuesCheck(
    { stream: 'events', lagMax: 100 },
    {
      readState: async () => ({ ...state, ...differences }),
      ledger: () => ({ ...ledger, unbalancedTenants }) as never,
      noteState: () => undefined,
    },
  )
  return await check.run()
}

describe('the check of the queues', () => {
  it.each([
    ['healthy when everything is stored', {}, 'healthy'],
    ['degraded when a partition is blocked', { partitions: [{ ...partition, blockedReason: 'x' }] }, 'degraded'],
    ['degraded when a partition is too far behind', { partitions: [{ ...partition, lagRecords: 101 }] }, 'degraded'],
    ['unhealthy when the server will soon remove frames that are not stored', { expiringPartitions: [3] }, 'unhealthy'],
  ])('is %s', async (_, differences, status) => {
    const { expiringPartitions = [] } = differences as Partial<QueueState>
    expect(await run(differences)).toMatchObject({ status, events: { expiring_partitions: expiringPartitions } })
  })

  it('is unhealthy when records are lost', async () => {
    expect(await run({}, 1)).toMatchObject({ status: 'unhealthy' })
  })
})
