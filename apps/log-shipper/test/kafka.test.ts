import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { generateApiKey, seedKeys } from '@millrace/auth'
import { LOGS_STREAM, type LogServiceClient, streamTopic } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import type { Calls } from '@millrace/service'
import {
  createTestDatabase,
  createTestRedis,
  findTestKafka,
  freePort,
  spawnService,
  startTestKafka,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { openLogService, SEARCH_ALL } from './open-log-service.js'

const describeWithKafka =
  typeof findTestKafka('log-shipper with its stream on Kafka') === 'string' ? describe.skip : describe
/** For the start of a broker, and for leases that end, on a busy machine. */
const PATIENT = { deadlineMs: 120_000 }
const TEST_MS = 600_000
const LINES = 5
const key = generateApiKey()

describeWithKafka('log-shipper with its stream on Kafka', () => {
  let testDatabase: TestDatabase
  let testRedis: TestRedis
  let database: Database
  let broker: Awaited<ReturnType<typeof startTestKafka>>
  let service: Awaited<ReturnType<typeof spawnService>>
  let origin: string
  let logs: Calls<typeof LogServiceClient.service>
  let closeClient: () => void | Promise<void>

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    await seedKeys({ writeKey: key, adminKey: undefined, isProduction: false }, { database, logger: silentLogger })
    broker = await startTestKafka()
    const [port, grpcPort] = [await freePort(), await freePort()]
    origin = `http://127.0.0.1:${port}`
    service = await spawnService({
      app: 'log-shipper',
      env: {
        DATABASE_URL: testDatabase.url,
        STREAM_DRIVER: 'kafka',
        KAFKA_BROKERS: broker.brokers,
        CACHE_REDIS_URL: testRedis.url,
        HTTP_PORT: String(port),
        GRPC_PORT: String(grpcPort),
        LOG_WINDOW_SECONDS: '0.5',
        // A process that was killed holds its partitions until its lease ends.
        LEASE_MS: '2000',
      },
    })
    const [client, close] = openLogService(grpcPort)
    logs = client
    closeClient = close
  }, TEST_MS)

  afterAll(async () => {
    await closeClient?.()
    await service?.stop()
    await broker?.stop()
    await database?.close()
    await testRedis?.release()
    await testDatabase?.release()
  }, TEST_MS)

  async function send(names: readonly string[]): Promise<number | undefined> {
    const body = names.map((name, line) => JSON.stringify({ msg: `crash ${name}`, service: `s${line % 5}` })).join('\n')
    const headers = { authorization: `Bearer ${key}` }
    const sent = fetch(`${origin}/v1/logs/ndjson`, { method: 'POST', headers, body })
    return await sent.then(
      async (response) => {
        await response.arrayBuffer()
        return response.status
      },
      () => undefined,
    )
  }

  /** The names in all lines that a search finds, over all pages. */
  async function find(): Promise<string[]> {
    const found: string[] = []
    let cursor = ''
    do {
      const more = { ...SEARCH_ALL, query: 'crash', cursor }
      const page = await logs.searchLogs(more, { tenant: '1', caller: 'test' })
      for (const text of page.linesJson) found.push(String(JSON.parse(text).message).slice('crash '.length))
      cursor = page.nextCursor
    } while (cursor !== '')
    return found
  }

  async function isSettled(): Promise<boolean> {
    const { rows } = await database.query<{ accepted: bigint; settled: bigint }>(
      `select coalesce(sum(accepted), 0)::bigint as accepted, coalesce(sum(stored + rejected), 0)::bigint as settled
       from ledger_consumed where stream = $1`,
      [LOGS_STREAM],
    )
    return rows[0] !== undefined && rows[0].accepted === rows[0].settled
  }

  it(
    'finds every acknowledged line once after it and the broker were killed and frozen while lines arrived',
    async () => {
      const acknowledged = new Set<string>()
      let isSending = true
      const sending = (async () => {
        for (let request = 0; isSending; request++) {
          const names = Array.from({ length: LINES }, (_, line) => `r${request}x${line}`)
          const status = await send(names)
          if (status === 200) for (const name of names) acknowledged.add(name)
          // Few lines are enough, since all of them are searched for; and a service that is being started needs a moment.
          await new Promise((resolve) => setTimeout(resolve, 50))
        }
      })()
      const more = async () => {
        const before = acknowledged.size
        await waitFor(() => acknowledged.size >= before + 10 * LINES, { ...PATIENT, what: 'acknowledged lines' })
      }
      await more()
      await service.kill('SIGKILL')
      await service.restart()
      await more()
      await broker.kill()
      // Into the spool.
      await more()
      await broker.restart()
      await more()
      await broker.kill()
      await more()
      await service.kill('SIGKILL')
      await broker.restart()
      await service.restart()
      await more()
      await broker.pause()
      await more()
      await broker.resume()
      await more()
      isSending = false
      await sending

      const missingIn = (names: readonly string[]) => {
        const all = new Set(names)
        return [...acknowledged].filter((name) => !all.has(name))
      }
      await waitFor(isSettled, PATIENT)
      // Lines whose acknowledgement was lost by a kill are found as well, so the number of lines found proves nothing.
      await waitFor(async () => missingIn(await find()).length === 0, PATIENT).catch(() => {})
      const found = await find()
      expect(found.filter((name, index) => found.indexOf(name) !== index)).toEqual([])
      expect(missingIn(found)).toEqual([])
      const described = await broker.tool('kafka-topics', '--describe', '--topic', streamTopic(LOGS_STREAM))
      expect(described).toContain('PartitionCount: 16')
    },
    TEST_MS,
  )
})
