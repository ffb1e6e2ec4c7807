import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createTestDatabase, createTestRedis, freePort, type TestDatabase, type TestRedis } from '@millrace/testing'
import { createAcceptedAge } from '../src/maintain/accepted-age.js'
import { type RunningApp, runApp } from './support/run-app.js'
import { runRetention } from './support/run-retention.js'

const DAY = 86_400_000

describe('the settings of a consumer', () => {
  let test: TestDatabase
  let streams: TestRedis
  let database: Database
  const running: RunningApp[] = []

  beforeEach(async () => {
    test = await createTestDatabase({ migrate })
    streams = await createTestRedis()
    database = openDatabase({ url: test.url })
  })
  afterEach(async () => {
    for (const app of running.splice(0)) await app.stop()
    await database.close()
    await streams.release()
    await test.release()
  })

  async function start(env: Record<string, string> = {}): Promise<RunningApp> {
    const app = await runApp({
      NODE_ENV: 'test',
      DATABASE_URL: test.url,
      STREAM_REDIS_URL: streams.url,
      STREAM_PARTITIONS: '2',
      GRPC_PORT: String(await freePort()),
      ...env,
    })
    running.push(app)
    return app
  }
  const publish = (service: string, settings: object, seenAt = 'now()') =>
    database.query(
      `insert into service_settings (service, instance, settings, seen_at) values ($1, 'elsewhere:1:a', $2, ${seenAt})`,
      [service, JSON.stringify(settings)],
    )
  const published = async () => (await database.query('select service, settings from service_settings')).rows

  it('are refused at the start when a running gateway accepts events that would be deleted at once', async () => {
    await publish('ingest-gateway', { EVENTS_MAX_AGE_DAYS: 60 })
    await expect(start({ EVENTS_RETENTION_DAYS: '30' })).rejects.toMatchObject({
      code: 'SETTINGS_CONTRADICT',
      message: expect.stringMatching(
        /^EVENTS_MAX_AGE_DAYS of ingest-gateway \(elsewhere:1:a\) is 60, but EVENTS_RETENTION_DAYS of stream-consumer .* is 30: /,
      ),
    })
    expect(await published()).toHaveLength(1)
    await start({ EVENTS_RETENTION_DAYS: '60' })
  })

  it('are published while the consumer runs, and those of a process that is gone do not count', async () => {
    await publish('ingest-gateway', { EVENTS_MAX_AGE_DAYS: 60 }, `now() - interval '1 minute'`)
    const app = await start({ EVENTS_RETENTION_DAYS: '30' })
    expect((await published()).find(({ service }) => service === 'stream-consumer')).toMatchObject({
      settings: { STREAM_NAME: 'events', STREAM_PARTITIONS: 2, EVENTS_MAX_AGE_DAYS: 30, EVENTS_RETENTION_DAYS: 30 },
    })
    await app.stop()
    running.pop()
    expect(await published()).toMatchObject([{ service: 'ingest-gateway' }])
  })

  it('are refused when another running service uses another number of partitions', async () => {
    await publish('ingest-gateway', { STREAM_NAME: 'events', STREAM_PARTITIONS: 16 })
    await expect(start()).rejects.toThrow(/STREAM_PARTITIONS of .* is .*, but STREAM_PARTITIONS of .* is /)
  })

  it.each([
    ['redis', '7', 'Kafka', 'kafka'],
    ['kafka', '1700000000000-0', 'Redis', 'redis'],
  ])('are refused when STREAM_DRIVER is %s and the stored position is %s', async (driver, position, name, other) => {
    await database.query(
      `insert into stream_partitions (group_name, stream, partition, position) select 'events-store', 'events', p, $1 from generate_series(0, 1) p`,
      [position],
    )
    const env = { STREAM_DRIVER: driver, KAFKA_BROKERS: '127.0.0.1:1' }
    await expect(start(env)).rejects.toThrow(
      new RegExp(
        `^STREAM_DRIVER of stream-consumer is ${driver}, but the events .* were read from ${name}: set STREAM_DRIVER to ${other}`,
      ),
    )
  })

  it('are refused when the stream has events in another number of partitions, or another group has stored them', async () => {
    await database.query(
      `insert into stream_partitions (group_name, stream, partition, position) select 'events-store', 'events', p, '1-0' from generate_series(0, 1) p`,
    )
    await expect(start({ STREAM_PARTITIONS: '4' })).rejects.toThrow(
      'STREAM_PARTITIONS of stream-consumer is 4, but the stream "events" has events in 2 partitions',
    )
    await expect(start({ STREAM_GROUP: 'other' })).rejects.toThrow(
      'STREAM_GROUP of stream-consumer is "other", but the group "events-store" has stored the events of the stream "events"',
    )
    await start()
  })

  it('never make retention drop a day for which a gateway still accepts events, even one that was killed some hours ago', async () => {
    const nowMs = Date.now()
    await new DayPartitions(database).ensure('events', nowMs - 40 * DAY, nowMs)
    const acceptedMs = createAcceptedAge({ retentionDays: 10 }, { logger: silentLogger })
    const oldest = async () => {
      await runRetention(database, { nowMs, acceptedMs })
      const { rows } = await database.query<{ days: number }>(
        'select count(*)::int as days from pg_inherits where inhparent = $1::regclass',
        ['events'],
      )
      return rows[0]?.days
    }
    await publish('ingest-gateway', { EVENTS_MAX_AGE_DAYS: 30 }, `now() - interval '5 hours'`)
    expect(await oldest()).toBe(31)
    await database.query('delete from service_settings')
    await publish('stream-consumer', { EVENTS_RETENTION_DAYS: 20, EVENTS_MAX_AGE_DAYS: 5 })
    expect(await oldest()).toBe(21)
    await database.query(`update service_settings set seen_at = now() - interval '1 minute'`)
    expect(await oldest()).toBe(11)
  })
})
