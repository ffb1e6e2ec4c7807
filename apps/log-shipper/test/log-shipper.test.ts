import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { generateApiKey, seedKeys } from '@millrace/auth'
import { LOGS_STREAM } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
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
import { decodeBatch } from '../src/batch/log-batch.js'

const CANARY = 'canary.person@example.com'

let testDatabase: TestDatabase
let testRedis: TestRedis
let database: Database
let redis: RedisConnection
let service: Awaited<ReturnType<typeof spawnService>>
let origin: string
const key = generateApiKey()

async function send(body: string, headers: Record<string, string> = { authorization: `Bearer ${key}` }) {
  return await fetch(`${origin}/v1/logs/ndjson`, { method: 'POST', headers, body })
}

/** All lines in the stream, of all partitions. */
async function readStream() {
  const driver = createRedisDriver({}, { redis })
  const reader = await driver.openReader(LOGS_STREAM)
  for (let partition = 0; partition < 16; partition++) reader.seek(partition, '')
  const frames = await reader.read({ framesMax: 1000, bytesMax: 1e9, blockMs: 0 })
  await reader.close()
  await driver.close()
  return frames.flatMap(({ bytes }) => {
    const { header, payload } = decodeFrame(bytes)
    return readLogFrame(payload, header.records).batches.flatMap((batch) => decodeBatch(batch.bytes).lines)
  })
}

describe('log-shipper', () => {
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    redis = await openRedis({ url: testRedis.url, name: 'test' }, { logger: silentLogger })
    await seedKeys({ writeKey: key, adminKey: undefined, isProduction: false }, { database, logger: silentLogger })
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    service = await spawnService({
      app: 'log-shipper',
      env: {
        DATABASE_URL: testDatabase.url,
        STREAM_REDIS_URL: testRedis.url,
        HTTP_PORT: String(port),
        GRPC_PORT: String(await freePort()),
      },
    })
  })

  afterAll(async () => {
    await service?.stop()
    await redis?.close()
    await database?.close()
    await testRedis?.release()
    await testDatabase?.release()
  })

  it('answers once the lines of a request are in the stream, masked, and counts a refused line in the ledger', async () => {
    const response = await send(
      `{"msg":"to ${CANARY}","service":"cart"}\nnot json\n{"msg":"b","user":{"mail":"${CANARY}"}}`,
    )
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      accepted: 2,
      rejected: [{ index: 1, code: 'invalid_json', reason: 'the line is not valid JSON' }],
    })
    const lines = await readStream()
    expect(lines.map(({ message }) => message).sort()).toEqual(['b', 'to [email]'])
    expect(JSON.stringify(lines)).not.toContain(CANARY)
    const readCounts = async () =>
      (await database.query('select accepted, rejected from ledger_produced where stream = $1', [LOGS_STREAM])).rows
    await waitFor(async () => (await readCounts()).length > 0)
    expect(await readCounts()).toEqual([{ accepted: 3n, rejected: 1n }])
  })

  it('refuses requests without a valid key, and paths that it does not have', async () => {
    expect((await send('{}', {})).status).toBe(401)
    expect((await send('{}', { authorization: 'Bearer mr_write_wrong' })).status).toBe(401)
    expect((await fetch(`${origin}/nothing`)).status).toBe(404)
  })
})
