import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { generateApiKey, seedKeys } from '@millrace/auth'
import { LOGS_STREAM, type LogServiceClient, type SearchLogsRequest } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import type { Calls } from '@millrace/service'
import { createRedisDriver, decodeFrame } from '@millrace/streams'
import {
  createTestDatabase,
  createTestRedis,
  freePort,
  spawnService,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { readLogFrame } from '../src/append/log-frame.js'
import { openLogService, SEARCH_ALL } from './open-log-service.js'

const CANARY = 'canary.person@example.com'
/** A process that was killed holds its partitions until its lease ends. */
const LEASE_MS = 2000
const ROUNDS = 3
const DEADLINE = { deadlineMs: 60_000 }

let testDatabase: TestDatabase
let testRedis: TestRedis
let database: Database
let redis: RedisConnection
let service: Awaited<ReturnType<typeof spawnService>>
let origin: string
let logs: Calls<typeof LogServiceClient.service>
let closeClient: () => void | Promise<void>
const key = generateApiKey()

async function send(body: string, headers: Record<string, string> = { authorization: `Bearer ${key}` }) {
  return await fetch(`${origin}/v1/logs/ndjson`, { method: 'POST', headers, body })
}

/** All lines that a search finds, over all pages. */
async function search(more: Partial<SearchLogsRequest>): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  let cursor = ''
  do {
    const page = await logs.searchLogs({ ...SEARCH_ALL, ...more, cursor }, { tenant: '1', caller: 'test' })
    found.push(...page.linesJson.map((text) => JSON.parse(text) as Record<string, unknown>))
    cursor = page.nextCursor
  } while (cursor !== '')
  return found
}

async function readLedger() {
  const { rows } = await database.query<{ accepted: bigint; rejected: bigint; stored: bigint }>(
    `select coalesce(sum(accepted), 0)::bigint as accepted, coalesce(sum(rejected), 0)::bigint as rejected, coalesce(sum(stored), 0)::bigint as stored
     from ledger_consumed where stream = $1`,
    [LOGS_STREAM],
  )
  return rows[0]
}

describe('log-shipper', () => {
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    redis = await openRedis({ url: testRedis.url, name: 'test' }, { logger: silentLogger })
    await seedKeys({ writeKey: key, adminKey: undefined, isProduction: false }, { database, logger: silentLogger })
    const [port, grpcPort] = [await freePort(), await freePort()]
    origin = `http://127.0.0.1:${port}`
    service = await spawnService({
      app: 'log-shipper',
      env: {
        DATABASE_URL: testDatabase.url,
        STREAM_REDIS_URL: testRedis.url,
        HTTP_PORT: String(port),
        GRPC_PORT: String(grpcPort),
        LOG_WINDOW_SECONDS: '0.5',
        LEASE_MS: String(LEASE_MS),
      },
    })
    const [client, close] = openLogService(grpcPort)
    logs = client
    closeClient = close
  })

  afterAll(async () => {
    await closeClient?.()
    await service?.stop()
    await redis?.close()
    await database?.close()
    await testRedis?.release()
    await testDatabase?.release()
  })

  it('answers once the lines of a request are in the stream, stores them masked, and counts every record in the ledger', async () => {
    const response = await send(
      `{"msg":"to ${CANARY}","service":"cart"}\nnot json\n{"msg":"b","user":{"mail":"${CANARY}"},"password":"hunter2-canary"}`,
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      accepted: 2,
      rejected: [{ index: 1, code: 'invalid_json', reason: 'not valid JSON at character 0: not a JSON value' }],
    })
    await waitFor(async () => (await readLedger())?.stored === 2n, DEADLINE)
    expect(await readLedger()).toEqual({ accepted: 3n, rejected: 1n, stored: 2n })
    expect(new Set((await search({})).map(({ message }) => message))).toEqual(new Set(['b', 'to [email]']))
    expect(await search({ query: 'email', services: ['cart'] })).toHaveLength(1)

    const driver = createRedisDriver({}, { redis })
    const reader = await driver.openReader(LOGS_STREAM)
    for (let partition = 0; partition < 16; partition++) reader.seek(partition, '')
    const frames = await reader.read({ framesMax: 1000, bytesMax: 1e9, blockMs: 0 })
    await reader.close()
    await driver.close()
    expect(frames.length).toBeGreaterThan(0)
    for (const { bytes } of frames) {
      const { header, payload } = decodeFrame(bytes)
      readLogFrame(payload, header.records)
      expect(payload.includes(CANARY) || payload.includes('hunter2-canary')).toBe(false)
    }
  })

  it('refuses requests without a valid key, and paths that it does not have', async () => {
    expect((await send('{}', {})).status).toBe(401)
    expect((await send('{}', { authorization: 'Bearer mr_write_wrong' })).status).toBe(401)
    expect((await fetch(`${origin}/nothing`)).status).toBe(404)
  })

  it('finds every acknowledged line once after it was killed while lines arrived and windows were written', async () => {
    const acknowledged = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      let isSending = true
      const sending = (async () => {
        for (let request = 0; isSending; request++) {
          const names = Array.from({ length: 20 }, (_, line) => `r${round}x${request}x${line}`)
          const body = names
            .map((name) => JSON.stringify({ msg: `crash ${name}`, service: `s${request % 5}` }))
            .join('\n')
          const response = await send(body).catch(() => undefined)
          if (response?.status !== 200) break
          for (const name of names) acknowledged.add(name)
        }
      })()
      const before = acknowledged.size
      // Some windows are written before the kill.
      await waitFor(() => acknowledged.size >= before + 200 * (round + 1), DEADLINE)
      await service.kill('SIGKILL')
      isSending = false
      await sending
      await service.restart()
    }
    const find = async () =>
      (await search({ query: 'crash' })).map(({ message }) => String(message).slice('crash '.length))
    const missingIn = (names: readonly string[]) => {
      const all = new Set(names)
      return [...acknowledged].filter((name) => !all.has(name))
    }
    await waitFor(async () => {
      const ledger = await readLedger()
      return ledger !== undefined && ledger.accepted === ledger.stored + ledger.rejected
    }, DEADLINE)
    // Lines whose acknowledgement was lost by a kill are found as well, so the number of lines found proves nothing.
    await waitFor(async () => missingIn(await find()).length === 0, DEADLINE).catch(() => {})
    const found = await find()
    expect(new Set(found).size).toBe(found.length)
    expect(missingIn(found)).toEqual([])
  }, 240_000)
})
