import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { AnalyticsServiceClient, type AnalyticsServiceService, type RunQueryRequest } from '@millrace/contracts'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { type Calls, createGrpcClient } from '@millrace/service'
import { createGrpcMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { freePort, spawnService, startTestPostgresServer, startTestRedisServer, waitFor } from '@millrace/testing'
import { createTenant, queryOf } from './service-under-test.js'

const DAY = 86_400_000
// Ten minutes behind, so that yesterday is a closed range even right after midnight.
const TODAY = Math.floor((Date.now() - 600_000) / DAY) * DAY
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

interface Process {
  readonly calls: Calls<typeof AnalyticsServiceService>
  readonly process: Awaited<ReturnType<typeof spawnService>>
  close(): Promise<void>
}

describe('the answers of two processes that share one Redis', () => {
  let postgres: Awaited<ReturnType<typeof startTestPostgresServer>>
  let database: Database
  let redis: Awaited<ReturnType<typeof startTestRedisServer>>
  let acme: number
  let other: number
  let stored = 0
  let processes: Process[] = []

  const start = async (): Promise<Process> => {
    const port = await freePort()
    const process = await spawnService({
      app: 'analytics-query',
      env: {
        DATABASE_URL: postgres.url,
        CACHE_REDIS_URL: redis.url,
        GRPC_PORT: String(port),
        // So long that nothing here depends on how quick the machine is.
        CACHE_OPEN_MS: '60000',
        QUERY_WAIT_MAX_MS: '60000',
      },
    })
    const [calls, stop] = createGrpcClient(
      AnalyticsServiceClient,
      `127.0.0.1:${port}`,
      {},
      {
        logger: silentLogger,
        metrics: createGrpcMetrics(createMetrics({ service: 'test', hasProcessMetrics: false })),
        tracer: noopTracer,
      },
    )
    return {
      calls,
      process,
      close: async () => {
        await stop()
        await process.stop()
      },
    }
  }

  beforeAll(async () => {
    postgres = await startTestPostgresServer()
    await migrate(postgres.url)
    database = openDatabase({ url: postgres.url })
    redis = await startTestRedisServer()
    acme = await createTenant(database, 'acme')
    other = await createTenant(database, 'other')
    await database.query(
      `insert into stream_partitions (group_name, stream, partition, unflushed_from, unflushed_to, watermark)
       values ('events-store', 'events', 0, $1, $2, now())`,
      [new Date(TODAY - 9 * DAY).toISOString(), new Date(TODAY + DAY).toISOString()],
    )
    for (const tenant of [acme, other])
      for (let day = 1; day <= 4; day++) await store(tenant, 'Flight', TODAY - day * DAY)
    await store(acme, 'Search', TODAY - 2 * DAY)
    processes = await Promise.all([start(), start()])
  })

  afterAll(async () => {
    await Promise.all(processes.map((one) => one.close()))
    await redis.stop()
    await database.close()
    await postgres.stop()
  })

  /** What the consumer does in one transaction: the row, how far the partition is, and for a late one the notice. Nobody is told by message. */
  const store = async (tenantId: number, event: string, timestampMs: number, isLate = false): Promise<void> => {
    await new DayPartitions(database).ensure('events', timestampMs, timestampMs)
    const position = stored++
    await database.transaction(async (tx) => {
      await tx.query(
        `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id)
         values ($1, 1, $2, now(), $3, 0, 0, $4, $5, 'ann')`,
        [position, new Date(timestampMs + 1).toISOString(), tenantId, `m${position}`, event],
      )
      await tx.query('update stream_partitions set next_ordinal = $1', [stored])
      if (!isLate) return
      await tx.query(
        `insert into window_versions as w (tenant_id, event, day) values ($1, $2, $3) on conflict (tenant_id, event, day) do update
         set version = w.version + 1, changed_at = excluded.changed_at, changed_xid = excluded.changed_xid`,
        [tenantId, event, dayOf(timestampMs)],
      )
    })
  }

  const ask = async (at: Process, tenantId: number, fields: Partial<RunQueryRequest>) => {
    const answer = await at.calls.runQuery(queryOf({ interval: '1d', explain: false, ...fields }), {
      tenant: String(tenantId),
    })
    const data = JSON.parse(answer.dataJson.toString()) as { value: number }[]
    const { source, ageMs, isStale, watermark } = answer.meta ?? {}
    return {
      value: data.reduce((sum, { value }) => sum + value, 0),
      source,
      ageMs,
      isStale,
      watermark,
      cache: answer.cache,
    }
  }

  /** Asks the first process, and waits until Redis has the answer, which goes there behind the caller's back. */
  const share = async (tenantId: number, fields: Partial<RunQueryRequest>) => {
    const count = async () => ((await redis.command('KEYS', `*entry:t${tenantId}.*`)) as string[]).length
    const before = await count()
    const answer = await ask(first(), tenantId, fields)
    await waitFor(async () => (await count()) > before)
    return answer
  }

  /** Days before today, `first` included and `last` not. */
  const days = (first: number, last: number) => ({
    from: new Date(TODAY - first * DAY),
    to: new Date(TODAY - last * DAY),
  })
  const [first, second] = [() => processes[0] as Process, () => processes[1] as Process]

  it('over a closed range come from the database once, then from Redis, then from memory, and have that in meta', async () => {
    const question = { event: 'Flight', ...days(4, 0) }
    const read = await share(acme, question)
    expect([read.value, ['memory', 'redis'].includes(read.source ?? '')]).toEqual([4, false])
    const shared = await ask(second(), acme, question)
    const again = await ask(second(), acme, question)
    expect([shared.source, again.source, (await ask(first(), acme, question)).source]).toEqual([
      'redis',
      'memory',
      'memory',
    ])
    expect([shared.value, again.value, shared.watermark]).toEqual([4, 4, read.watermark])
    expect(again.ageMs).toBeGreaterThan(0)
    expect(again.cache).toEqual(read.cache)
    expect(read.cache).toMatchObject({ maxAgeS: 60, isImmutable: false })
  })

  it('are never those of another tenant', async () => {
    await store(other, 'Flight', TODAY - 3 * DAY)
    const question = { event: 'Flight', ...days(5, 2) }
    for (let round = 0; round < 2; round++) {
      expect((await ask(first(), acme, question)).value).toBe(2)
      expect((await ask(first(), other, question)).value).toBe(3)
    }
  })

  it('are invalidated by a late event exactly where it counts, in every process, also without a message', async () => {
    const touched: [number, Partial<RunQueryRequest>][] = [
      [acme, { event: 'Flight', ...days(2, 1) }],
      [acme, { ...days(3, 0) }],
      [acme, { event: 'Flight', ...days(8, 0) }],
    ]
    const others: [number, Partial<RunQueryRequest>][] = [
      [acme, { event: 'Flight', ...days(1, 0) }],
      [acme, { event: 'Flight', ...days(4, 2) }],
      [acme, { event: 'Search', ...days(2, 1) }],
      [other, { event: 'Flight', ...days(2, 1) }],
      [other, { ...days(3, 0) }],
    ]
    const all = [...touched, ...others]
    const before = await Promise.all(all.map(([tenant, question]) => ask(first(), tenant, question)))
    for (const [tenant, question] of all) await ask(second(), tenant, question)
    await store(acme, 'Flight', TODAY - 2 * DAY, true)
    for (const at of processes) {
      for (const [index, [tenant, question]] of touched.entries())
        await waitFor(async () => (await ask(at, tenant, question)).value === (before[index]?.value ?? 0) + 1)
      for (const [tenant, question] of others) expect((await ask(at, tenant, question)).source).toBe('memory')
    }
    expect(stored).toBeGreaterThan(0)
  })

  it('over an open range have the age in meta, and are not used for calls that ask for fresh or newer ones', async () => {
    const question = { event: 'Open', from: new Date(TODAY), to: new Date(TODAY + 2 * DAY) }
    expect((await ask(first(), acme, question)).value).toBe(0)
    await store(acme, 'Open', TODAY)
    const kept = await ask(first(), acme, question)
    expect([kept.value, kept.source]).toEqual([0, 'memory'])
    expect(kept.ageMs).toBeGreaterThan(0)
    expect(kept.cache).toMatchObject({ maxAgeS: 1, staleWhileRevalidateS: 10, isImmutable: false })
    const fresh = await ask(second(), acme, { ...question, fresh: true })
    expect([fresh.value, fresh.cache]).toEqual([1, undefined])
    await store(acme, 'Open', TODAY)
    await database.query(`update stream_partitions set watermark = watermark + interval '1 second'`)
    const newer = await ask(second(), acme, {
      ...question,
      minWatermark: new Date((fresh.watermark?.getTime() ?? 0) + 1),
    })
    expect([newer.value, newer.cache]).toEqual([2, undefined])
  })

  it('wait for the requested watermark, without delaying other calls', async () => {
    const range = { from: new Date(TODAY), to: new Date(TODAY + 2 * DAY) }
    const { watermark } = await ask(first(), acme, { event: 'Awaited', ...range, fresh: true })
    const minWatermark = new Date((watermark?.getTime() ?? 0) + 30_000)
    const waiting = async () => {
      const metrics = await fetch(`${first().process.adminUrl}/metrics`).then((answer) => answer.text())
      return Number(/^millrace_query_watermark_waiting(?:\{.*\})? (\d+)/m.exec(metrics)?.[1])
    }
    const caller = new AbortController()
    const waits = (over: { signal?: AbortSignal } = {}) =>
      first().calls.runQuery(queryOf({ event: 'Awaited', ...range, explain: false, minWatermark, waitMs: 60_000 }), {
        tenant: String(acme),
        deadlineMs: 120_000,
        ...over,
      })
    // More than there are connections, and turns of a tenant.
    const answers = Array.from({ length: 24 }, () => waits())
    const cancelled = waits({ signal: caller.signal })
    await waitFor(async () => (await waiting()) === 25)
    expect((await ask(first(), acme, { event: 'Another', ...range, fresh: true })).value).toBe(0)
    caller.abort()
    await expect(cancelled).rejects.toBeInstanceOf(Error)
    await waitFor(async () => (await waiting()) === 24)
    await store(acme, 'Awaited', TODAY)
    await database.query(`update stream_partitions set watermark = watermark + interval '30 seconds'`)
    for (const { dataJson, meta, cache } of await Promise.all(answers)) {
      const counts = (JSON.parse(dataJson.toString()) as { value: number }[]).map(({ value }) => value)
      expect([Math.max(...counts), meta?.isBehind, meta?.watermark, cache]).toEqual([1, false, minWatermark, undefined])
      expect(meta?.waitedMs).toBeGreaterThan(0)
    }
    expect(await waiting()).toBe(0)
  })

  it('are marked is_behind when the watermark is not reached in time', async () => {
    const minWatermark = new Date(Date.now() + DAY)
    const question = queryOf({ event: 'Awaited', ...days(3, 0), explain: false, minWatermark, waitMs: 1 })
    const { meta, cache } = await first().calls.runQuery(question, { tenant: String(acme) })
    expect([meta?.isBehind, cache]).toEqual([true, undefined])
    expect(meta?.watermark?.getTime()).toBeLessThan(minWatermark.getTime())
  })

  it('of an earlier process are not used if a late event was stored after it stopped', async () => {
    const touched = { event: 'Flight', ...days(3, 2) }
    const untouched = { event: 'Flight', ...days(4, 3) }
    const old = await share(acme, touched)
    await share(acme, untouched)
    await Promise.all(processes.map(({ process }) => process.kill('SIGKILL')))
    await store(acme, 'Flight', TODAY - 3 * DAY, true)
    await Promise.all(processes.map(({ process }) => process.restart()))
    expect((await ask(first(), acme, touched)).value).toBe(old.value + 1)
    expect((await ask(first(), acme, untouched)).source).toBe('redis')
  })

  it('of the most frequent queries are in memory after a restart', async () => {
    const question = { event: 'Search', ...days(3, 0) }
    for (let round = 0; round < 10; round++) await ask(first(), acme, question)
    await first().process.kill('SIGTERM')
    await first().process.exited
    await first().process.restart()
    // A process is ready before it has asked.
    await waitFor(async () => {
      const metrics = await fetch(`${first().process.adminUrl}/metrics`).then((answer) => answer.text())
      return /millrace_cache_memory_entries\{[^}]*namespace="closed"[^}]*\} [1-9]/.test(metrics)
    })
    expect((await ask(first(), acme, question)).source).toBe('memory')
  })

  it('come from memory and database while Redis is down, and outdated ones do not come back with it', async () => {
    const changed = { event: 'Flight', ...days(4, 3) }
    const kept = { event: 'Search', ...days(2, 1) }
    const old = await ask(first(), acme, changed)
    for (const at of processes) for (const question of [changed, kept]) await ask(at, acme, question)
    // Its data is on disk, so the old answer is there again when it comes back.
    await redis.kill()
    await store(acme, 'Flight', TODAY - 4 * DAY, true)
    for (const at of processes) {
      await waitFor(async () => (await ask(at, acme, changed)).value === old.value + 1)
      expect((await ask(at, acme, kept)).source).toBe('memory')
    }
    // One of them forgets in between that it has something to tell.
    await second().process.kill('SIGKILL')
    await redis.restart()
    await second().process.restart()
    expect((await ask(second(), acme, changed)).value).toBe(old.value + 1)
  })

  it('are returned as stale answers while PostgreSQL is down, and are current again afterwards', async () => {
    const question = { event: 'Search', ...days(2, 1) }
    const kept = await ask(second(), acme, question)
    await postgres.kill()
    await waitFor(async () => (await ask(second(), acme, question)).isStale === true, { deadlineMs: 30_000 })
    const old = await ask(second(), acme, question)
    expect([old.value, old.source, old.cache]).toEqual([kept.value, 'memory', undefined])
    expect(old.ageMs).toBeGreaterThan(0)
    await expect(ask(second(), acme, { ...question, limit: 77 })).rejects.toMatchObject({ kind: 'unavailable' })
    await postgres.restart()
    await waitFor(async () => (await ask(second(), acme, question)).isStale === false)
    await store(acme, 'Search', TODAY - 2 * DAY, true)
    await waitFor(async () => (await ask(second(), acme, question)).value === kept.value + 1)
  })
})
