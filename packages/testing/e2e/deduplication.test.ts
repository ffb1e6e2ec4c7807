import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import type { Stack } from '@millrace/local-stack'
import { findLedgerFault, readLedger, waitUntilSettled } from '../src/ledger.js'
import { startTestStack } from '../src/spawn-service.js'

const STACK_MS = 120_000
// With 16 partitions some of them share one.
const USERS = Array.from({ length: 24 }, (_, n) => `user ${n}`)

describe('deduplication, from the request to the rows', () => {
  let stack: Stack

  beforeAll(async () => {
    // The killed consumer holds its partitions for so long.
    stack = await startTestStack({ env: { LEASE_MS: '5000' } })
  })
  afterAll(() => stack?.stop())

  const post = async (path: string, body: unknown) => {
    const response = await fetch(`${stack.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${stack.writeKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(response.status).toBe(200)
    return (await response.json()) as { receipt: string }
  }

  /** The verdicts on the records of a request, once they are all settled. */
  const verdictsOf = async ({ receipt }: { receipt: string }) => {
    for (const deadlineMs = Date.now() + STACK_MS; Date.now() < deadlineMs; ) {
      const response = await fetch(`${stack.url}/v1/receipts/${receipt}?wait_ms=5000`, {
        headers: { authorization: `Bearer ${stack.adminKey}` },
      })
      const { state, stored, duplicate } = (await response.json()) as Record<string, unknown>
      if (state === 'settled') return { stored, duplicate }
    }
    throw new Error(`the receipt ${receipt} is not settled after ${STACK_MS} ms`)
  }

  test('one message id for several users is one event for each user, and each is stored once, also when it is sent again in another batch, by another wire and after a killed consumer', async () => {
    const messageId = randomUUID()
    const batch = USERS.map((userId) => ({ type: 'track', event: 'Shared', userId, messageId }))
    const before = await readLedger({ gatewayUrl: stack.url, readKey: stack.adminKey })
    expect(await verdictsOf(await post('/v1/batch', { batch: [...batch, ...batch] }))).toEqual({
      stored: USERS.length,
      duplicate: USERS.length,
    })
    expect(await verdictsOf(await post('/v1/events', batch))).toEqual({ stored: 0, duplicate: USERS.length })

    const consumer = stack.services.find(({ instance }) => instance.name === 'stream-consumer')
    await consumer?.server.kill('SIGKILL')
    const again = batch.map(({ userId, ...event }) => ({ ...event, anonymousId: userId }))
    expect(await verdictsOf(await post('/v1/batch', { batch: again }))).toEqual({ stored: 0, duplicate: USERS.length })

    const ledger = await waitUntilSettled(
      { gatewayUrl: stack.url, readKey: stack.adminKey },
      before.stored + USERS.length,
      STACK_MS,
    )
    expect(ledger.accepted - before.accepted).toBe(4 * USERS.length)
    expect(ledger.duplicate - before.duplicate).toBe(3 * USERS.length)
    expect(await findLedgerFault(stack.databaseUrl, ledger)).toBeUndefined()
  }, 300_000)
})
