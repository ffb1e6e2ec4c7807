import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { RecordBatchBuilder } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createRedisDriver, openProducer, type Producer } from '@millrace/streams'
import {
  createTestAuthority,
  createTestDatabase,
  createTestRedis,
  findTestKafka,
  freePort,
  spawnService,
  startTestKafka,
  startTestKafkaCluster,
  startTestPostgresServer,
  waitFor,
} from '@millrace/testing'
import { addEvents, partitionOfEvent, type TestEvent } from './support/frames.js'

const PARTITIONS = 4
const TOPIC = 'mirrored.events'
const PASSWORD = 'secret of the mirror'
/** For several starts of a broker. */
const TEST_MS = 300_000
/** A broker that was killed or frozen takes its time; nothing is measured here. */
const PATIENT = { deadlineMs: 90_000 }

const kafka = findTestKafka('the mirror of stored events to Kafka')
const describeWithKafka = typeof kafka === 'string' ? describe.skip : describe

/** A message as Kafka's own console consumer prints it. */
interface Message {
  readonly partition: number
  readonly headers: string
  readonly key: string
  readonly value: Record<string, unknown>
}

describeWithKafka('the mirror of stored events to Kafka', () => {
  const releases: (() => unknown)[] = []
  afterEach(async () => {
    for (const release of releases.splice(0).reverse()) await release()
  })

  /** `databaseUrl`: of a migrated database. Default: one on the server that all tests use. */
  async function open(databaseUrl?: string) {
    let url = databaseUrl
    if (url === undefined) {
      const testDatabase = await createTestDatabase({ migrate })
      releases.push(() => testDatabase.release())
      url = testDatabase.url
    }
    const testRedis = await createTestRedis()
    releases.push(() => testRedis.release())
    const database = openDatabase({ url })
    releases.push(() => database.close())
    const redis = await openRedis({ url: testRedis.url, name: 'test' }, { logger: silentLogger })
    releases.push(() => redis.close())
    const driver = createRedisDriver({}, { redis })
    const producer = await openProducer(
      { stream: 'events', partitions: PARTITIONS, createBuilder: () => new RecordBatchBuilder() },
      { driver, logger: silentLogger },
    )
    releases.push(() => producer.close())
    await database.query(`insert into tenants (name) values ('default'), ('acme')`)
    return { databaseUrl: url, testRedis, database, producer }
  }

  type Opened = Awaited<ReturnType<typeof open>>

  const startConsumer = async (
    { databaseUrl, testRedis }: Opened,
    brokers: string,
    env: Readonly<Record<string, string>> = {},
  ) => {
    const service = await spawnService({
      app: 'stream-consumer',
      env: {
        DATABASE_URL: databaseUrl,
        STREAM_REDIS_URL: testRedis.url,
        STREAM_PARTITIONS: String(PARTITIONS),
        STREAM_BLOCK_MS: '100',
        LEASE_MS: '1500',
        GRPC_PORT: String(await freePort()),
        KAFKA_BROKERS: brokers,
        KAFKA_MIRROR_TOPIC: TOPIC,
        ...env,
      },
    })
    releases.push(() => service.stop())
    return service
  }

  async function send(producer: Producer<RecordBatchBuilder>, events: readonly TestEvent[]): Promise<void> {
    const byPartition = new Map<number, TestEvent[]>()
    for (const event of events) {
      const partition = partitionOfEvent(event, PARTITIONS)
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), event])
    }
    for (const [partition, some] of byPartition) {
      const { builder, appended } = producer.open(partition)
      addEvents(builder, some)
      await appended
    }
  }

  /** Sends 20 events a round for as long as `during` takes, the first of each round twice. */
  async function sendWhile({ producer }: Opened, first: number, during: () => Promise<unknown>): Promise<number> {
    let isOver = false
    const over = during().finally(() => {
      isOver = true
    })
    let next = first
    while (!isOver) {
      const events = Array.from({ length: 20 }, (): TestEvent => {
        const n = next++
        return { messageId: `m${n}`, userId: `user ${n % 7}`, tenantId: 1 + (n % 2), properties: `{"n":${n}}` }
      })
      await send(producer, [...events, events[0] as TestEvent])
      // Spreads the load over the time that `during` takes.
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await over
    return next
  }

  const storedCount = async (database: Database): Promise<number> =>
    Number((await database.query<{ n: bigint }>('select count(*) as n from events')).rows[0]?.n)

  /** Waits until everything that was sent is stored and mirrored. */
  async function settle(database: Database, events: number): Promise<void> {
    await waitFor(async () => (await storedCount(database)) === events, PATIENT)
    await waitFor(async () => {
      const { rows } = await database.query(
        `select from stream_partitions p left join mirror_positions m using (group_name, stream, partition) where m.next_ordinal is distinct from p.next_ordinal`,
      )
      return rows.length === 0
    }, PATIENT)
  }

  async function readTopic(server: Awaited<ReturnType<typeof startTestKafka>>): Promise<Message[]> {
    const ends = await server.tool('kafka-get-offsets', '--topic', TOPIC)
    const messages = ends.split('\n').reduce((sum, line) => sum + Number(/:(\d+)$/.exec(line)?.[1] ?? 0), 0)
    if (messages === 0) return []
    const properties = ['print.partition', 'print.headers', 'print.key', 'print.value'].flatMap((name) => [
      '--formatter-property',
      `${name}=true`,
    ])
    const printed = await server.tool(
      'kafka-console-consumer',
      '--topic',
      TOPIC,
      '--from-beginning',
      // By number and not by a pause without messages, which on a busy machine comes before the first one.
      '--max-messages',
      String(messages),
      '--timeout-ms',
      '120000',
      ...properties,
    )
    return printed
      .split('\n')
      .filter((line) => line.startsWith('Partition:'))
      .map((line) => {
        const [partition, headers, key, ...value] = line.split('\t')
        return {
          partition: Number(partition?.slice('Partition:'.length)),
          headers: headers ?? '',
          key: key ?? '',
          value: JSON.parse(value.join('\t')) as Record<string, unknown>,
        }
      })
  }

  /** What is wrong with the topic, compared with the stored events; undefined when nothing is. */
  async function findFault(database: Database, messages: readonly Message[]): Promise<string | undefined> {
    const { rows } = await database.query<{ id: string; key: string; partition: number; position: bigint }>(
      `select e.message_id as id, t.name || ':' || e.user_id as key, e.partition, e.position from events e join tenants t on t.id = e.tenant_id order by e.partition, e.position`,
    )
    const copies = new Map<string, Message[]>()
    for (const message of messages) {
      const id = String(message.value.message_id)
      copies.set(id, [...(copies.get(id) ?? []), message])
    }
    const missing = rows.filter(({ id }) => !copies.has(id))
    if (missing.length > 0) return `${missing.length} stored events are missing, for example ${missing[0]?.id}`
    if (copies.size !== rows.length) return `the topic has ${copies.size} events, of which ${rows.length} are stored`
    for (const { id, key } of rows) {
      const first = copies.get(id)?.[0] as Message
      if (first.key !== key) return `the key of ${id} is ${first.key}`
      if (!first.headers.includes(`message_id:${id}`)) return `the headers of ${id} are ${first.headers}`
      if (new Set(copies.get(id)?.map(({ partition }) => partition)).size > 1) return `${id} is in several partitions`
    }
    // The first copies of a user's events have the order in which the events were stored.
    const lastOf = new Map<string, number>()
    const seen = new Set<string>()
    for (const { key, value } of messages) {
      if (seen.has(String(value.message_id))) continue
      seen.add(String(value.message_id))
      const position = Number(value.position)
      if (position <= (lastOf.get(key) ?? -1)) return `${String(value.message_id)} comes after a later event of ${key}`
      lastOf.set(key, position)
    }
    return undefined
  }

  /** Waits until a query of one boolean returns true. */
  async function untilTrue(database: Database, what: string, sql: string, values: unknown[] = []): Promise<void> {
    const ask = async () => (await database.query<{ is_true: boolean | null }>(sql, values)).rows[0]?.is_true === true
    await waitFor(ask, { ...PATIENT, what })
  }

  /** Waits until so many consumers share the partitions. */
  const untilOwners = (database: Database, count: number) =>
    untilTrue(
      database,
      `${count} owners of partitions`,
      'select bool_and(owner is not null) and count(distinct owner) = $1 as is_true from stream_partitions',
      [count],
    )

  /** Waits until at least one partition, or each of them, shows why it is not mirrored. */
  const untilBlocked = (database: Database, which: 'some' | 'all') =>
    untilTrue(
      database,
      'the reason why nothing is mirrored',
      `select count(blocked_reason) >= $1 as is_true from mirror_positions`,
      [which === 'all' ? PARTITIONS : 1],
    )

  /** Waits until something of each partition that is stored after the call is mirrored as well, so that nothing is blocked any more. */
  async function untilMirroring(database: Database): Promise<void> {
    const { rows } = await database.query<{ ordinals: string }>(
      'select json_object_agg(partition, next_ordinal)::text as ordinals from stream_partitions',
    )
    await untilTrue(
      database,
      'events of all partitions that are mirrored',
      `select count(*) = $2 as is_true from mirror_positions where next_ordinal > coalesce(($1::json ->> partition::text)::bigint, 0)`,
      [rows[0]?.ordinals ?? '{}', PARTITIONS],
    )
  }

  it(
    'every stored event is in the topic at least once, in the order of its user, although consumers and the broker are killed and frozen under load',
    async () => {
      const broker = await startTestKafka()
      releases.push(() => broker.stop())
      const opened = await open()
      const first = await startConsumer(opened, broker.brokers)
      const second = await startConsumer(opened, broker.brokers)
      const { database } = opened
      const events = await sendWhile(opened, 0, async () => {
        await untilOwners(database, 2)
        await untilMirroring(database)

        await first.kill()
        await untilOwners(database, 1)
        await first.restart()
        await untilOwners(database, 2)
        await untilMirroring(database)

        await broker.kill()
        await untilBlocked(database, 'some')
        await broker.restart()
        await untilMirroring(database)

        // Until a request has timed out, so that its messages are sent again while the broker may still take them.
        await broker.pause()
        await untilBlocked(database, 'some')
        await broker.resume()
        await untilMirroring(database)

        // Beyond its lease, with a request to the broker in progress.
        await second.pause()
        await untilOwners(database, 1)
        await second.resume()
        await untilOwners(database, 2)
        await untilMirroring(database)

        await broker.pause()
        await first.kill()
        await broker.resume()
        await first.restart()
      })
      await settle(opened.database, events)
      const messages = await readTopic(broker)
      expect(await findFault(opened.database, messages)).toBeUndefined()
      expect(messages.length).toBeLessThan(2 * events)
    },
    TEST_MS,
  )

  it(
    'every stored event is in the topic at least once, in the order of its user, although PostgreSQL is killed and frozen under load',
    async () => {
      const broker = await startTestKafka()
      releases.push(() => broker.stop())
      const postgres = await startTestPostgresServer()
      releases.push(() => postgres.stop())
      await migrate(postgres.url)
      const opened = await open(postgres.url)
      await startConsumer(opened, broker.brokers)
      await startConsumer(opened, broker.brokers)
      const { database } = opened
      const events = await sendWhile(opened, 0, async () => {
        await untilOwners(database, 2)
        await untilMirroring(database)

        for (let round = 0; round < 3; round++) {
          await postgres.kill()
          await postgres.restart()
          await untilMirroring(database)
        }

        // Beyond the leases, with statements in progress.
        await postgres.pause()
        await new Promise((resolve) => setTimeout(resolve, 3000))
        await postgres.resume()
        await untilMirroring(database)
      })
      await settle(database, events)
      const messages = await readTopic(broker)
      expect(await findFault(database, messages)).toBeUndefined()
      expect(messages.length).toBeLessThan(2 * events)
    },
    TEST_MS,
  )

  it(
    'every stored event is in the topic of three brokers at least once over TLS with a login, although each broker is killed and one is frozen under load',
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'millrace-mirror-'))
      releases.push(() => rmSync(dir, { recursive: true, force: true }))
      const authority = createTestAuthority(dir, 'authority')
      const security = { users: { mirror: PASSWORD }, tls: authority.issue('broker', 'IP:127.0.0.1') }
      const cluster = await startTestKafkaCluster({ security })
      releases.push(() => cluster.stop())
      const opened = await open()
      const secure = {
        KAFKA_SSL_ENABLED: 'true',
        KAFKA_SSL_CA: authority.certificateFile,
        KAFKA_SASL_MECHANISM: 'scram-sha-256',
        KAFKA_SASL_USERNAME: 'mirror',
        KAFKA_SASL_PASSWORD: PASSWORD,
        KAFKA_REPLICATION_FACTOR: '3',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
      }
      await startConsumer(opened, cluster.brokers, secure)
      await startConsumer(opened, cluster.brokers, secure)
      const { database } = opened
      const events = await sendWhile(opened, 0, async () => {
        await untilOwners(database, 2)
        await untilMirroring(database)
        for (const node of cluster.nodes) {
          await node.kill()
          // The two others take over its partitions.
          await untilMirroring(database)
          await node.restart()
        }
        const [frozen] = cluster.nodes
        await frozen?.pause()
        await untilMirroring(database)
        await frozen?.resume()
      })
      await settle(database, events)
      const messages = await readTopic(cluster.nodes[0] as Awaited<ReturnType<typeof startTestKafka>>)
      expect(await findFault(database, messages)).toBeUndefined()
    },
    // Three more brokers, each of which is started again.
    2 * TEST_MS,
  )

  it(
    'events are stored while no broker was ever there, and are mirrored when it comes and asks for a login',
    async () => {
      const opened = await open()
      const port = await freePort()
      const consumer = await startConsumer(opened, `127.0.0.1:${port}`, {
        KAFKA_SASL_MECHANISM: 'scram-sha-512',
        KAFKA_SASL_USERNAME: 'mirror',
        KAFKA_SASL_PASSWORD: PASSWORD,
      })
      const events = await sendWhile(opened, 0, () => untilBlocked(opened.database, 'all'))
      await waitFor(async () => (await storedCount(opened.database)) === events, PATIENT)
      const metrics = await (await fetch(`${consumer.adminUrl}/metrics`)).text()
      expect(Number(/^millrace_mirror_lag_records\{.*\} (\d+)/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(events)
      expect(Number(/^millrace_mirror_lag_seconds\{.*\} ([\d.]+)/m.exec(metrics)?.[1])).toBeGreaterThan(0)

      const broker = await startTestKafka({ port, security: { users: { mirror: PASSWORD } } })
      releases.push(() => broker.stop())
      await settle(opened.database, events)
      expect(await findFault(opened.database, await readTopic(broker))).toBeUndefined()
    },
    TEST_MS,
  )

  it(
    'a topic that is deleted under the mirror is created again, and events that come afterwards are in it',
    async () => {
      const broker = await startTestKafka()
      releases.push(() => broker.stop())
      const opened = await open()
      await startConsumer(opened, broker.brokers)
      const before = await sendWhile(opened, 0, () => untilMirroring(opened.database))
      await settle(opened.database, before)
      await broker.tool('kafka-topics', '--delete', '--topic', TOPIC)
      const events = await sendWhile(opened, before, () => untilMirroring(opened.database))
      await settle(opened.database, events)
      const ids = new Set((await readTopic(broker)).map(({ value }) => String(value.message_id)))
      for (let n = before; n < events; n++) expect(ids).toContain(`m${n}`)
    },
    TEST_MS,
  )

  it(
    'a topic whose largest message is lowered under the mirror gets the events that are too large without properties, and all others whole',
    async () => {
      const broker = await startTestKafka()
      releases.push(() => broker.stop())
      const opened = await open()
      await startConsumer(opened, broker.brokers)
      await send(opened.producer, [
        { messageId: 'before', userId: 'ann', properties: `{"text":"${'x'.repeat(60_000)}"}` },
      ])
      await settle(opened.database, 1)
      await broker.tool('kafka-configs', '--alter', '--topic', TOPIC, '--add-config', 'max.message.bytes=40000')
      await send(opened.producer, [
        { messageId: 'large', userId: 'ann', properties: `{"text":"${'x'.repeat(60_000)}"}` },
        ...Array.from({ length: 50 }, (_, n) => ({
          messageId: `s${n}`,
          userId: 'ann',
          properties: `{"text":"${'y'.repeat(5_000)}"}`,
        })),
      ])
      await settle(opened.database, 52)
      const messages = await readTopic(broker)
      expect(await findFault(opened.database, messages)).toBeUndefined()
      const omitted = messages.filter(({ value }) => 'omitted' in value)
      expect(new Set(omitted.map(({ value }) => value.message_id))).toEqual(new Set(['large']))
    },
    TEST_MS,
  )
})
