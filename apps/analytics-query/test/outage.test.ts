import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { freePort, spawnService, startTestPostgresServer, startTestRedisServer, waitFor } from '@millrace/testing'

const DAY = 86_400_000
const TODAY = Math.floor(Date.now() / DAY) * DAY
const iso = (ms: number): string => new Date(ms).toISOString()
/** Long enough for a machine that does ten other things. */
const PATIENCE = { deadlineMs: 60_000 }

interface Answered {
  readonly status: number
  readonly retryAfter: string | null
  readonly cacheControl: string | null
  readonly body: {
    readonly code?: string
    readonly data?: readonly { readonly value: number }[]
    readonly meta?: { readonly source: string; readonly age_ms: number; readonly is_stale?: boolean }
  }
}

describe('analytics-query and the gateway without PostgreSQL', () => {
  let postgres: Awaited<ReturnType<typeof startTestPostgresServer>>
  let redis: Awaited<ReturnType<typeof startTestRedisServer>>
  let analytics: Awaited<ReturnType<typeof spawnService>>
  let gateway: Awaited<ReturnType<typeof spawnService>>
  let origin: string

  beforeAll(async () => {
    postgres = await startTestPostgresServer()
    redis = await startTestRedisServer()
    await migrate(postgres.url)
    const [grpcPort, httpPort] = [await freePort(), await freePort()]
    const DATABASE_URL = postgres.url
    analytics = await spawnService({
      app: 'analytics-query',
      env: { DATABASE_URL, GRPC_PORT: String(grpcPort) },
    })
    gateway = await spawnService({
      app: 'ingest-gateway',
      env: {
        DATABASE_URL,
        STREAM_REDIS_URL: redis.url,
        HTTP_PORT: String(httpPort),
        ANALYTICS_QUERY_ADDRESS: `127.0.0.1:${grpcPort}`,
        BOOTSTRAP_WRITE_KEY: 'mr_write_test',
        BOOTSTRAP_ADMIN_KEY: 'mr_admin_test',
      },
    })
    origin = `http://127.0.0.1:${httpPort}`
    const database = openDatabase({ url: postgres.url })
    await store(database)
    await database.close()
  }, 240_000)

  afterAll(async () => {
    await gateway?.stop()
    await analytics?.stop()
    await redis?.stop()
    await postgres?.stop()
  })

  /** Three events of the day before yesterday, all that there is up to now. */
  const store = async (database: Database): Promise<void> => {
    await new DayPartitions(database).ensure('events', TODAY - 2 * DAY, TODAY - 2 * DAY)
    await database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id)
       select i, 1, $1, now(), t.id, 0, 0, 'm' || i, 'Flight', 'ann' from generate_series(0, 2) i, tenants t where t.name = 'default'`,
      [iso(TODAY - 2 * DAY)],
    )
    await database.query(
      `insert into stream_partitions (group_name, stream, partition, next_ordinal, unflushed_from, unflushed_to, watermark)
       values ('events-store', 'events', 0, 3, $1, $2, now())`,
      [iso(TODAY - 2 * DAY), iso(TODAY)],
    )
  }

  /** `limit` makes it another question of the same answer. */
  const ask = async (limit: number): Promise<Answered> => {
    const range = `from=${iso(TODAY - 3 * DAY)}&to=${iso(TODAY - DAY)}&interval=1mo&limit=${limit}`
    const response = await fetch(`${origin}/api/v1/query/timeseries?event=Flight&${range}`, {
      headers: { authorization: 'Bearer mr_admin_test' },
    })
    const body = (await response.json()) as Answered['body']
    const { status, headers } = response
    return { status, retryAfter: headers.get('retry-after'), cacheControl: headers.get('cache-control'), body }
  }
  let questions = 100
  const askAnew = () => ask(++questions)
  const countOf = ({ body }: Answered) => body.data?.reduce((sum, { value }) => sum + value, 0)
  const metric = async (pattern: RegExp): Promise<number> => {
    const metrics = await fetch(`${analytics.adminUrl}/metrics`).then((answer) => answer.text())
    return Number(pattern.exec(metrics)?.[1])
  }
  const breaker = () => metric(/^millrace_circuit_breaker_state\{[^}]*name="database"[^}]*\} (\d)/m)
  const keptClosed = () => metric(/^millrace_cache_memory_entries\{[^}]*namespace="closed"[^}]*\} (\d+)/m)

  it('return stale answers for cached queries and 503 for others, and recover when it is back', async () => {
    const before = await ask(1)
    expect([before.status, countOf(before), before.body.meta?.is_stale]).toEqual([200, 3, undefined])
    // Until the process has seen how far the rows go, the range is an open one to it, and its answer another.
    await waitFor(async () => (await ask(1)).status === 200 && (await keptClosed()) > 0, PATIENCE)

    await postgres.kill()
    await waitFor(async () => (await ask(1)).body.meta?.is_stale === true, PATIENCE)
    const stale = await ask(1)
    expect([stale.status, countOf(stale), stale.body.meta?.source]).toEqual([200, 3, 'memory'])
    expect(stale.cacheControl).toBe('no-store')
    await waitFor(async () => {
      const refused = await askAnew()
      expect([refused.status, refused.retryAfter]).toEqual([503, expect.stringMatching(/^\d+$/)])
      return refused.body.code === 'DEPENDENCY_CIRCUIT_OPEN'
    }, PATIENCE)
    expect(await breaker()).not.toBe(0)
    // What is refused is the database's fault: the gateway goes on asking, and analytics-query answering.
    expect((await ask(1)).status).toBe(200)

    await postgres.restart()
    await waitFor(async () => {
      const answer = await askAnew()
      return answer.status === 200 && countOf(answer) === 3 && answer.body.meta?.is_stale === undefined
    }, PATIENCE)
    // Its trials are the questions that come.
    await waitFor(async () => (await askAnew()).status === 200 && (await breaker()) === 0, PATIENCE)
    await waitFor(async () => (await ask(1)).body.meta?.is_stale === undefined, PATIENCE)
    expect(countOf(await ask(1))).toBe(3)
  }, 240_000)
})
