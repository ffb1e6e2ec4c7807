import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { RecordBatchBuilder } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createRedisDriver, encodeFrame, parseProducerId } from '@millrace/streams'
import {
  createTestDatabase,
  createTestRedis,
  freePort,
  startTestPostgresServer,
  startTestRedisServer,
  waitFor,
} from '@millrace/testing'
import { healthOf, startService } from './start-service.js'

function listen(server: Server): Promise<string> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  )
}

describe('the health service on PostgreSQL and Redis', () => {
  const producer = randomUUID()
  let database: Database
  let redis: RedisConnection
  let service: Awaited<ReturnType<typeof startService>>
  let ready: Server
  let isReady = true
  const releases: (() => Promise<void>)[] = []
  let acme: number

  beforeAll(async () => {
    const test = await createTestDatabase({ migrate })
    const streams = await createTestRedis()
    database = openDatabase({ url: test.url })
    redis = await openRedis({ url: streams.url, name: 'test' }, { logger: silentLogger })
    ready = createServer((_, res) =>
      res.writeHead(isReady ? 200 : 503).end('{"status":"not ready","checks":{"redis":{"status":"failing"}}}'),
    )
    const url = await listen(ready)
    service = await startService({
      DATABASE_URL: test.url,
      STREAM_REDIS_URL: streams.url,
      STREAM_PARTITIONS: '2',
      LAG_MAX: '5',
      ADMIN_URLS: `ingest-gateway=${url},analytics-query=http://127.0.0.1:${await freePort()}`,
    })
    acme = (await database.query<{ id: number }>(`insert into tenants (name) values ('acme') returning id`)).rows[0]
      ?.id as number
    releases.push(
      () => service.stop(),
      () => database.close(),
      () => redis.close(),
      () => test.release(),
      () => streams.release(),
    )
  })
  afterAll(async () => {
    ready.closeAllConnections()
    ready.close()
    for (const release of releases) await release()
  })

  const ledgers = async (tenant: string) => (await service.calls.getLedger({}, { tenant })).streams
  const ledger = async (tenant = String(acme)) => (await ledgers(tenant)).filter(({ stream }) => stream === 'events')
  const noteProduced = (accepted: number, spooled = 0) =>
    database.query(
      `insert into ledger_produced (stream, producer, tenant_id, accepted, rejected, spooled) values ('events', $1, $2, $3, 0, $4)
        on conflict (stream, producer, tenant_id) do update set accepted = excluded.accepted, spooled = excluded.spooled`,
      [producer, acme, accepted, spooled],
    )
  const noteConsumed = (stored: number, position: string) =>
    database.transaction(async (tx) => {
      await tx.query(
        `insert into ledger_consumed (stream, partition, producer, tenant_id, accepted, rejected, stored, duplicate, dead_lettered)
          values ('events', 0, $1, $2, $3, 0, $3, 0, 0) on conflict (stream, partition, producer, tenant_id) do update set accepted = $3, stored = $3`,
        [producer, acme, stored],
      )
      await tx.query(
        `insert into stream_partitions (group_name, stream, partition, position) values ('events-store', 'events', 0, $1)
          on conflict (group_name, stream, partition) do update set position = excluded.position`,
        [position],
      )
      await tx.query(
        `insert into stream_producers (group_name, stream, partition, producer, last_sequence, records) values ('events-store', 'events', 0, $1, 1, $2)
          on conflict (group_name, stream, partition, producer) do update set records = excluded.records`,
        [producer, stored],
      )
    })
  let sequence = 0
  let cumulativeRecords = 0
  /** Puts a frame into the stream and returns its position. */
  async function append(records: number): Promise<string> {
    cumulativeRecords += records
    const frame = encodeFrame({
      producer: parseProducerId(producer),
      sequence: ++sequence,
      records,
      cumulativeRecords,
      flags: 0,
      firstTimeMs: 0,
      lastTimeMs: 0,
      payload: new RecordBatchBuilder().seal(),
    })
    const [result] = await createRedisDriver({}, { redis }).append('events', [{ partition: 0, frame }])
    if (result?.kind !== 'held') throw new Error('the frame was not taken')
    return result.position
  }

  it('the health report has one format at every level', async () => {
    const summary = await healthOf(service.calls, '')
    expect(summary.body).toEqual({
      timestamp: expect.any(String),
      status: summary.status,
      version: expect.any(String),
      uptime: expect.any(Number),
    })
    // Connections are made in the background: a first check may come before them.
    const isHealthy = async (name: string) =>
      (await healthOf(service.calls, 'system')).body.services?.[name]?.status === 'healthy'
    for (const name of ['database', 'redis', 'queues', 'ingest-gateway']) await waitFor(() => isHealthy(name))
    const { body } = await healthOf(service.calls, 'system')
    expect(body).toMatchObject({
      services: {
        database: {
          status: 'healthy',
          latency: expect.any(Number),
          pool: { used: expect.any(Number), available: expect.any(Number), max: 4 },
        },
        redis: { status: 'healthy', latency: expect.any(Number), mode: 'single', nodes: 1 },
        queues: { status: 'healthy', events: { lag: 0, dead_letters: 0, balanced: true } },
        'ingest-gateway': { status: 'healthy' },
        'analytics-query': { status: 'unhealthy' },
      },
      system: {
        memory: { total_bytes: expect.any(Number) },
        cpu: { cores: expect.any(Number) },
        disk: { used_percent: expect.any(Number) },
      },
    })
    expect(body.services?.queues?.events).not.toHaveProperty('partitions')
    const detailed = await healthOf(service.calls, 'detailed')
    expect(detailed.body.services?.queues?.events).toMatchObject({
      partitions: [{ partition: 0 }, { partition: 1 }],
    })
    expect(detailed.body).toHaveProperty('synthetic.enabled', false)
    await expect(service.calls.getHealth({ level: 'all' })).rejects.toMatchObject({ code: 'UNKNOWN_HEALTH_LEVEL' })
  })

  it('the status is degraded when a service that ingestion does not need is down, and when a service is not ready', async () => {
    await waitFor(async () => (await healthOf(service.calls, 'summary')).status === 'degraded')
    isReady = false
    await waitFor(
      async () => (await healthOf(service.calls, 'system')).body.services?.['ingest-gateway']?.status === 'degraded',
    )
    isReady = true
  })

  it('the ledger balances while records are in flight, and the lag is that of the stream', async () => {
    const position = await append(3)
    await noteProduced(3)
    expect(await ledger()).toEqual([
      {
        stream: 'events',
        tenant: 'acme',
        accepted: 3n,
        stored: 0n,
        duplicate: 0n,
        rejected: 0n,
        deadLettered: 0n,
        inFlight: 3n,
        expired: 0n,
        lost: 0n,
        balanced: true,
      },
    ])
    const lag = async () =>
      (await healthOf(service.calls, 'system')).body.services?.queues?.events as unknown as {
        lag: number
        in_flight: number
      }
    await waitFor(async () => (await lag()).lag === 3)
    await noteConsumed(3, position)
    await waitFor(async () => (await lag()).lag === 0)
    expect(await ledger()).toMatchObject([{ accepted: 3n, stored: 3n, inFlight: 0n, balanced: true }])
  })

  it('the status is degraded when a partition lags too far behind', async () => {
    await append(9)
    await waitFor(async () => (await healthOf(service.calls, 'system')).body.services?.queues?.status === 'degraded')
    await noteConsumed(12, await append(0))
    await noteProduced(12)
  })

  it('the status is unhealthy when records are proved lost, and healthy again when they turn up', async () => {
    const position = await append(5)
    await noteProduced(20)
    await noteConsumed(17, position)
    await waitFor(async () => (await ledger())[0]?.lost === 3n)
    expect(await ledger()).toMatchObject([{ accepted: 20n, inFlight: 3n, balanced: false }])
    await waitFor(async () => (await healthOf(service.calls, 'system')).status === 'unhealthy')
    const exposes = async (line: RegExp) => line.test(await (await fetch(`${service.adminUrl}/metrics`)).text())
    await waitFor(() => exposes(/millrace_ledger_records\{[^}]*state="lost"[^}]*\} 3/))
    await waitFor(() => exposes(/millrace_ledger_unbalanced_tenants\{[^}]*\} 1/))
    await noteConsumed(20, position)
    await waitFor(async () => (await ledger())[0]?.balanced === true)
  })

  it('records in a spool are not reported as lost', async () => {
    await noteProduced(50, 30)
    const before = Date.now()
    const verified = async () => {
      const { body } = await healthOf(service.calls, 'system')
      return Date.parse(String((body.services?.queues?.events as Record<string, unknown> | undefined)?.verified_at))
    }
    await waitFor(async () => (await verified()) > before + 500)
    expect(await ledger()).toMatchObject([{ inFlight: 30n, lost: 0n, balanced: true }])
    await noteProduced(20)
  })

  it('GetLedger returns a tenant only its own ledger, and an administrator all of them', async () => {
    const { rows } = await database.query<{ id: number }>(`insert into tenants (name) values ('other') returning id`)
    expect(await ledger(String(rows[0]?.id))).toMatchObject([{ tenant: 'other', accepted: 0n, balanced: true }])
    expect((await ledger('*')).map(({ tenant }) => tenant)).toEqual(['acme', 'other'])
    expect((await ledgers('*')).map(({ stream, tenant }) => [stream, tenant])).toEqual([
      ['events', 'acme'],
      ['events', 'other'],
      ['logs', 'acme'],
      ['logs', 'other'],
    ])
    await expect(service.calls.getLedger({})).rejects.toMatchObject({ code: 'TENANT_MISSING' })
  })
})

describe('the health service without PostgreSQL and Redis', () => {
  it('the service starts while PostgreSQL and Redis are down, and reports that in time', async () => {
    const service = await startService({
      DATABASE_URL: `postgres://postgres@127.0.0.1:${await freePort()}/none`,
      STREAM_REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
      HEALTH_CHECK_TIMEOUT_MS: '500',
    })
    const { status, body } = await healthOf(service.calls, 'detailed')
    expect(status).toBe('unhealthy')
    expect(body.services).toMatchObject({
      database: { status: 'unhealthy' },
      redis: { status: 'unhealthy' },
      queues: { status: 'unhealthy' },
    })
    await service.stop()
  })

  it('the service answers while PostgreSQL and Redis hang, and notices when they recover', async () => {
    const postgres = await startTestPostgresServer()
    const streams = await startTestRedisServer()
    await migrate(postgres.url)
    const service = await startService({
      DATABASE_URL: postgres.url,
      STREAM_REDIS_URL: streams.url,
      DATABASE_TIMEOUT: '1000',
      HEALTH_CHECK_TIMEOUT_MS: '1500',
    })
    const statusOf = async (name: string) => (await healthOf(service.calls, 'system')).body.services?.[name]?.status
    await waitFor(async () => (await statusOf('database')) === 'healthy' && (await statusOf('redis')) === 'healthy')
    await Promise.all([postgres.pause(), streams.pause()])
    await waitFor(async () => (await statusOf('database')) === 'unhealthy' && (await statusOf('redis')) === 'unhealthy')
    await Promise.all([postgres.resume(), streams.resume()])
    await waitFor(async () => (await statusOf('database')) === 'healthy' && (await statusOf('redis')) === 'healthy')
    await service.stop()
    await streams.stop()
    await postgres.stop()
  })
})
