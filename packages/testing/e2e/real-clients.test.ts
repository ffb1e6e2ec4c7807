import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Stack, waitFor } from '@millrace/local-stack'
import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { Analytics } from '@segment/analytics-node'
import pg from 'pg'
import { findLedgerFault, readLedger, waitUntilSettled } from '../src/index.js'
import { startTestStack } from '../src/spawn-service.js'

const EVENTS = 10_000

let stack: Stack

describe('a real client', () => {
  beforeAll(async () => {
    stack = await startTestStack()
  })

  afterAll(async () => {
    await stack?.stop()
  })

  test.each([
    ['@segment/analytics-node', sendBySegment],
    ['@rudderstack/rudder-sdk-node', sendByRudder],
  ])('%s, unmodified, delivers 10,000 events that are counted exactly', async (name, send) => {
    const source = { gatewayUrl: stack.url, readKey: stack.adminKey }
    const before = await readLedger(source).catch(() => ({ accepted: 0, stored: 0, duplicate: 0 }))
    await send(`${name} event`)
    const after = await waitUntilSettled(source, before.stored + EVENTS, 60_000)
    // On a machine that is too busy to answer in time the client sends a batch again, and its events are duplicates.
    expect(after.accepted - before.accepted - (after.duplicate - before.duplicate)).toBe(EVENTS)
    expect(after.stored - before.stored).toBe(EVENTS)
    expect(await findLedgerFault(stack.databaseUrl, after)).toBeUndefined()
    expect(await countStored(`${name} event`)).toEqual({
      rows: EVENTS,
      ids: EVENTS,
      users: 100,
      sum: (EVENTS * (EVENTS - 1)) / 2,
    })
  })
})

async function sendBySegment(event: string): Promise<void> {
  const analytics = new Analytics({
    writeKey: stack.writeKey,
    host: stack.url,
    path: '/v1/batch',
    flushAt: 50,
    maxEventsInBatch: 50,
    // A request that is answered late must not be sent again, or the ledger would count its repeat.
    httpRequestTimeout: 60_000,
  })
  const failures: unknown[] = []
  analytics.on('error', (error) => failures.push(error))
  for (let i = 0; i < EVENTS; i++) analytics.track({ userId: `segment-${i % 100}`, event, properties: { index: i } })
  await analytics.closeAndFlush()
  expect(failures).toEqual([])
}

/** In portions: the SDK measures its whole queue with each event, so ten thousand at once would take minutes. */
async function sendByRudder(event: string): Promise<void> {
  const analytics = new RudderAnalytics(stack.writeKey, { dataPlaneUrl: stack.url, flushAt: 50 })
  const failures: unknown[] = []
  let delivered = 0
  const onDelivery = (error?: Error) => (error ? failures.push(error) : delivered++)
  for (let i = 0; i < EVENTS; i++) {
    analytics.track({ userId: `rudder-${i % 100}`, event, properties: { index: i } }, onDelivery)
    if (i % 50 === 49) await analytics.flush()
  }
  await waitFor(() => analytics.flush().then(() => failures.length > 0 || delivered === EVENTS), { deadlineMs: 60_000 })
  expect(failures).toEqual([])
}

async function countStored(event: string) {
  const client = new pg.Client({ connectionString: stack.databaseUrl })
  await client.connect()
  const { rows } = await client.query(
    `select count(*)::int as rows, count(distinct message_id)::int as ids, count(distinct user_id)::int as users,
       sum((properties->>'index')::int)::int as sum from events where event = $1`,
    [event],
  )
  await client.end()
  return rows[0]
}
