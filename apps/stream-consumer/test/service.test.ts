import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ConsumerServiceService, encodeReceipt, RecordBatchBuilder } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createGrpcClient } from '@millrace/service'
import { createRedisDriver, openProducer, type Producer, type StreamDriver } from '@millrace/streams'
import { createGrpcMetrics, createMetrics, createResilienceMetrics, noopTracer } from '@millrace/telemetry'
import {
  createTestDatabase,
  createTestRedis,
  freePort,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { addEvents, partitionOfEvent, type TestEvent } from './support/frames.js'
import { differences, readRollups, recompute } from './support/recompute.js'
import { type RunningApp, runApp } from './support/run-app.js'

const PARTITIONS = 4

describe('stream-consumer over Redis and PostgreSQL', () => {
  let testDatabase: TestDatabase
  let testRedis: TestRedis
  let database: Database
  let redis: RedisConnection
  let driver: StreamDriver
  let producer: Producer<RecordBatchBuilder>
  let port: number
  let client: ReturnType<typeof openClient>
  const apps: RunningApp[] = []

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    redis = await openRedis({ url: testRedis.url, name: 'test' }, { logger: silentLogger })
    driver = createRedisDriver({}, { redis })
    producer = await openProducer(
      { stream: 'events', partitions: PARTITIONS, createBuilder: () => new RecordBatchBuilder() },
      { driver, logger: silentLogger },
    )
    port = await freePort()
    apps.push(await startApp({ GRPC_PORT: String(port) }))
    client = openClient(port)
  })

  afterAll(async () => {
    await client[1]()
    for (const app of apps) await app.stop()
    await producer.close()
    await driver.close()
    await redis.close()
    await database.close()
    await testRedis.release()
    await testDatabase.release()
  })

  const startApp = (env: Record<string, string> = {}): Promise<RunningApp> =>
    runApp({
      NODE_ENV: 'test',
      DATABASE_URL: testDatabase.url,
      STREAM_REDIS_URL: testRedis.url,
      STREAM_PARTITIONS: String(PARTITIONS),
      LEASE_MS: '1000',
      GRPC_PORT: '0',
      ADMIN_PORT: '0',
      ...env,
    })

  function openClient(at: number) {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    return createGrpcClient(
      { service: ConsumerServiceService },
      `127.0.0.1:${at}`,
      { name: 'stream-consumer', deadlineMs: 60_000 },
      {
        metrics: createGrpcMetrics(metrics),
        tracer: noopTracer,
        logger: silentLogger,
        resilienceMetrics: createResilienceMetrics(metrics),
      },
    )
  }

  /** Sends events as the gateway does and returns the receipt. */
  async function send(events: readonly TestEvent[], tenantId = 1): Promise<string> {
    const byPartition = new Map<number, TestEvent[]>()
    for (const event of events) {
      const partition = partitionOfEvent(event, PARTITIONS)
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), event])
    }
    const frames = await Promise.all(
      [...byPartition].map(async ([partition, some]) => {
        const { builder, appended } = producer.open(partition)
        const first = builder.records
        addEvents(builder, some)
        const { sequence } = await appended
        return { partition, sequence, first, records: some.length }
      }),
    )
    return encodeReceipt({ tenantId, producer: producer.id, frames })
  }

  const getReceipt = (receipt: string, waitMs = 20_000, tenant = '1') =>
    client[0].getReceipt({ receipt, waitMs }, { tenant })

  it('stream-consumer answers a waiting receipt when its records are committed, with the counts of their verdicts', async () => {
    const receipt = await send([
      { messageId: 'a', userId: 'ann' },
      { messageId: 'a', userId: 'ann' },
      { messageId: 'b', userId: 'bob' },
      { messageId: 'bad', userId: 'eve', properties: '{"x":"\\u0000"}' },
    ])
    const answer = await getReceipt(receipt)
    expect(answer).toMatchObject({
      state: 'settled',
      accepted: 4n,
      stored: 2n,
      duplicate: 1n,
      deadLettered: 1n,
      inFlight: 0n,
    })
    expect(answer.frames.every(({ settled }) => settled)).toBe(true)
  })

  it('stream-consumer rejects malformed receipts and receipts of other tenants', async () => {
    const receipt = await send([{}])
    await expect(getReceipt(receipt, 0, '2')).rejects.toMatchObject({ code: 'RECEIPT_UNKNOWN', kind: 'not_found' })
    await expect(getReceipt('nonsense', 0)).rejects.toMatchObject({ kind: 'invalid' })
    const future = encodeReceipt({
      tenantId: 1,
      producer: producer.id,
      frames: [{ partition: 0, sequence: 999_999, first: 0, records: 3 }],
    })
    expect(await getReceipt(future, 10)).toMatchObject({ state: 'in_flight', inFlight: 3n })
  })

  it('stream-consumer lists dead letters page by page, replays one, and discards one', async () => {
    await getReceipt(await send([{ messageId: 'bad2', userId: 'eve', properties: '{"x":"\\u0000"}' }]))
    const first = await client[0].listDeadLetters({ limit: 1, cursor: '' }, { tenant: '1' })
    expect(first.deadLetters).toMatchObject([{ messageId: 'bad2', state: 'pending', code: '22P05', stream: 'events' }])
    expect(JSON.parse(first.deadLetters[0]?.recordJson ?? '')).toMatchObject({
      message_id: 'bad2',
      event: 'Flight',
      user_id: 'eve',
      properties: { x: '\0' },
    })
    const second = await client[0].listDeadLetters({ limit: 1, cursor: first.nextCursor }, { tenant: '1' })
    expect(second).toMatchObject({ deadLetters: [{ messageId: 'bad' }], nextCursor: '' })
    expect((await client[0].listDeadLetters({ limit: 0, cursor: '' }, { tenant: '2' })).deadLetters).toEqual([])
    for (const cursor of ['1', 'x', `${first.nextCursor.slice(0, 12)}AAAA`])
      await expect(client[0].listDeadLetters({ limit: 1, cursor }, { tenant: '1' })).rejects.toMatchObject({
        code: 'INVALID_CURSOR',
        kind: 'invalid',
      })

    const id = first.deadLetters[0]?.id ?? ''
    await expect(client[0].replayDeadLetter({ id }, { tenant: '2' })).rejects.toMatchObject({ kind: 'not_found' })
    await client[0].replayDeadLetter({ id }, { tenant: '1' })
    const stateOf = async () =>
      (await client[0].listDeadLetters({ limit: 1, cursor: '' }, { tenant: '1' })).deadLetters[0]?.state
    // The record is unchanged, so PostgreSQL refuses it again.
    await waitFor(async () => (await stateOf()) === 'pending')
    // Repaired, it is stored and counted as stored.
    const { rows } = await database.query<{ record: Buffer }>('select record from dead_letters where id = $1', [id])
    const repaired = Buffer.from(
      (rows[0]?.record ?? Buffer.alloc(0)).toString('latin1').replace('\\u0000', '\\u0001'),
      'latin1',
    )
    await database.query('update dead_letters set record = $2 where id = $1', [id, repaired])
    await client[0].replayDeadLetter({ id }, { tenant: '1' })
    await waitFor(async () => (await stateOf()) === 'replayed')
    expect((await database.query(`select 1 from events where message_id = 'bad2'`)).rows).toHaveLength(1)

    const other = second.deadLetters[0]?.id ?? ''
    expect((await client[0].discardDeadLetter({ id: other }, { tenant: '1' })).deadLetter?.state).toBe('discarded')
    await expect(client[0].replayDeadLetter({ id: other }, { tenant: '1' })).rejects.toMatchObject({
      code: 'DEAD_LETTER_NOT_PENDING',
    })
  })

  it('stream-consumer ends a page of dead letters at 8 MiB, and the next pages have all others', async () => {
    await database.query(
      `insert into dead_letters (stream, tenant_id, partition, position, producer, sequence, record_index, message_id, code, reason, record)
      select 'events', 77, 0, '1-0', gen_random_uuid(), 1, 0, 'large-' || i, '22P05', 'test', decode(repeat('41', 262144), 'hex')
      from generate_series(1, 100) i`,
    )
    const pages: number[] = []
    const seen = new Set<string>()
    let cursor = ''
    do {
      const page = await client[0].listDeadLetters({ limit: 100, cursor }, { tenant: '77' })
      pages.push(page.deadLetters.length)
      for (const { messageId } of page.deadLetters) seen.add(messageId)
      cursor = page.nextCursor
    } while (cursor !== '')
    expect(pages).toEqual([32, 32, 32, 4])
    expect(seen.size).toBe(100)
  })

  it('stream-consumer streams the number of stored events by name once a second', async () => {
    const seconds = client[0].watchLive({}, { tenant: '1' })[Symbol.asyncIterator]()
    await seconds.next()
    await getReceipt(await send([{ event: 'Live' }, { event: 'Live', userId: 'zoe' }]))
    let live = 0n
    await waitFor(async () => {
      const { value } = await seconds.next()
      live += value?.byEvent.Live ?? 0n
      return live >= 2n
    })
    expect(live).toBe(2n)
    await seconds.return?.()
  })

  it('stream-consumer continues to stream live counts after its Redis subscription was cut', async () => {
    const seconds = client[0].watchLive({}, { tenant: '1' })[Symbol.asyncIterator]()
    await seconds.next()
    const clients = String(await redis.client.client('LIST', 'TYPE', 'PUBSUB')).split('\n')
    const database = new URL(testRedis.url).pathname.slice(1)
    const [own = ''] = clients.filter(
      (line) => line.includes('name=millrace:notices ') && line.includes(` db=${database} `),
    )
    await redis.client.client('KILL', 'ID', Number(/\bid=(\d+)/.exec(own)?.[1]))
    await waitFor(
      async () => {
        await send([{ event: 'Cut' }])
        const { value } = await seconds.next()
        return (value?.byEvent.Cut ?? 0n) > 0n
      },
      { deadlineMs: 10_000 },
    )
    await seconds.return?.()
  })

  it('stream-consumer stores each of 6,000 events once while consumers start, lose their connections and stop', async () => {
    const before = Number((await database.query<{ n: bigint }>('select count(*) as n from events')).rows[0]?.n)
    const ids = Array.from({ length: 6000 }, (_, i) => `load-${i}`)
    const receipts: Promise<string>[] = []
    for (let from = 0; from < ids.length; from += 50) {
      const some = ids
        .slice(from, from + 50)
        .map((messageId, i) => ({ messageId, event: 'Search', userId: `u${(from + i) % 700}` }))
      receipts.push(send(some))
      if (from % 300 === 0) receipts.push(send(some))
      if (from === 1000) apps.push(await startApp())
      if (from === 2000 || from === 4000) {
        await database.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
        )
      }
      if (from === 5000) await apps.pop()?.stop()
      await receipts.at(-1)
    }
    const settled = async (receipt: string) => {
      const answer = await getReceipt(receipt)
      return answer.state === 'settled' && answer
    }
    const answers = await Promise.all(
      (await Promise.all(receipts)).map((receipt) => waitFor(() => settled(receipt), { deadlineMs: 180_000 })),
    )
    const sum = (pick: (answer: (typeof answers)[number]) => bigint) =>
      answers.reduce((all, answer) => all + Number(pick(answer)), 0)
    expect({ stored: sum((a) => a.stored), duplicate: sum((a) => a.duplicate) }).toEqual({
      stored: 6000,
      duplicate: 1000,
    })
    const { rows } = await database.query<{ n: bigint; d: bigint }>(
      'select count(*) as n, count(distinct message_id) as d from events',
    )
    expect(Number(rows[0]?.n)).toBe(before + 6000)
    expect(rows[0]?.d).toBe(rows[0]?.n)
    const isFlushed = async () =>
      (await database.query('select 1 from stream_partitions where flushed_ordinal <> next_ordinal')).rows.length === 0
    await waitFor(isFlushed)
    const expected = await recompute(database)
    for (const key of expected.keys()) if (key.includes('properties.delay')) expected.delete(key)
    expect(differences(await readRollups(database), expected)).toEqual([])
  })

  it('stream-consumer exposes metrics of its verdicts, deduplication window and lag', async () => {
    const exposes = async (line: RegExp) => line.test((await apps[0]?.metrics.expose()) ?? '')
    await waitFor(() => exposes(/millrace_consumer_records_total\{[^}]*outcome="stored"[^}]*\} [1-9]/))
    await waitFor(() => exposes(/millrace_dedup_window_covered_seconds\{[^}]*\} 86400/))
    await waitFor(() => exposes(/millrace_stream_lag_records/))
  })
})
