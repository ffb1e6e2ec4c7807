import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect, test } from '@jest/globals'
import { createTestDatabase, hold } from '@millrace/testing'
import pg from 'pg'
import { messageId, type Numbering, userId, userOf } from '../load/numbering.js'
import { checkEvents, describeFaults } from './check-events.js'

const numbering: Numbering = { seed: 99, batchEvents: 5, connections: 2, users: 20 }
/** Connection 0 sent batches 0, 2 and 4, connection 1 sent 1 and 3; batch 5 was never answered. */
const load = { numbering, batches: [3, 2] }
/** With this message PostgreSQL ends each of its answers. */
const READY_FOR_QUERY_BYTES = 6
const LATER_MS = 30

async function withStored(
  change: (client: pg.Client) => Promise<unknown>,
  through: (url: string) => Promise<string> = async (url) => url,
) {
  const database = await createTestDatabase()
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('create table events (message_id text, user_id text, partition int, position bigint)')
  for (let number = 0; number < 25; number++) {
    const user = userOf(numbering, number)
    await client.query('insert into events values ($1, $2, $3, $4)', [
      messageId(99, number),
      userId(user),
      user % 4,
      number,
    ])
  }
  await client.query(
    `insert into events values ('not ours', 'somebody', 0, 100), ('preloaded', 'somebody', 0, -1), ('preloaded', 'somebody', 0, -2)`,
  )
  await change(client)
  await client.end()
  const findings = await checkEvents(await through(database.url), [load])
  await database.release()
  return findings
}

test('the check of events finds no fault when every event is stored as it was sent', async () => {
  const findings = await withStored(async () => {})
  expect(findings).toMatchObject({
    rows: 26,
    acknowledged: 25,
    missing: 0,
    doubled: 0,
    outOfOrder: 0,
    altered: 0,
    examples: [],
  })
  expect(describeFaults(findings)).toBeUndefined()
})

test('the check of events finds no fault when PostgreSQL sends the end of its answer later than the last row', async () => {
  const proxy = createServer((client) => {
    const { hostname, port } = target as URL
    const server = connect(Number(port), hostname)
    client.pipe(server)
    server.on('data', (chunk: Buffer) => {
      const end = chunk.length - READY_FOR_QUERY_BYTES
      client.write(chunk.subarray(0, end))
      setTimeout(() => client.write(chunk.subarray(end)), LATER_MS)
    })
    server.on('close', () => client.destroy())
    for (const socket of [client, server]) socket.on('error', () => client.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const stop = hold('a proxy', async () => void proxy.close())
  let target: URL | undefined
  const findings = await withStored(
    async () => {},
    async (url) => {
      target = new URL(url)
      return Object.assign(new URL(url), { host: `127.0.0.1:${(proxy.address() as AddressInfo).port}` }).href
    },
  )
  expect(describeFaults(findings)).toBeUndefined()
  await stop()
})

test('the check of events accepts an event without an answer whether it is stored or not', async () => {
  const findings = await withStored((client) =>
    client.query('insert into events values ($1, $2, 3, 26)', [messageId(99, 25), userId(userOf(numbering, 25))]),
  )
  expect(describeFaults({ ...findings, outOfOrder: 0 })).toBeUndefined()
  expect(findings.rows).toBe(27)
})

const id = messageId(99, 12)
test.each([
  ['a missing row', `delete from events where message_id = '${id}'`, { missing: 1 }],
  [
    'a doubled row',
    `insert into events select message_id, user_id, partition, 500 from events where message_id = '${id}'`,
    { doubled: 1 },
  ],
  ['a doubled row of another sender', `insert into events values ('not ours', 'somebody', 0, 101)`, { doubled: 1 }],
  ['another user', `update events set user_id = 'user-99999' where message_id = '${id}'`, { altered: 1 }],
  ['all missing', 'delete from events where position >= 0', { missing: 25 }],
])('the check of events reports %s', async (_, sql, faults) => {
  const findings = await withStored((client) => client.query(sql))
  expect(findings).toMatchObject({ missing: 0, doubled: 0, altered: 0, ...faults })
  expect(describeFaults(findings)).toBeDefined()
})

test('the check of events reports events of one user that are stored in another order than they were sent', async () => {
  const numbers = Array.from({ length: 25 }, (_, number) => number)
  const [first, second] = pairOfOneUser(numbers)
  const findings = await withStored((client) =>
    client.query(
      'update events set position = case message_id when $1 then $3::bigint else $4::bigint end where message_id in ($1, $2)',
      [messageId(99, first), messageId(99, second), second, first],
    ),
  )
  expect(findings).toMatchObject({ missing: 0, doubled: 0 })
  expect(findings.outOfOrder).toBeGreaterThan(0)
})

/** Two events of one user with none of it between them. */
function pairOfOneUser(numbers: number[]): [number, number] {
  for (const first of numbers) {
    const second = numbers.find((number) => number > first && userOf(numbering, number) === userOf(numbering, first))
    if (second !== undefined) return [first, second]
  }
  throw new Error('no user has two events')
}
