import { generateApiKey, seedKeys } from '@millrace/auth'
import { LOGS_STREAM } from '@millrace/contracts'
import { migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createRedisDriver, decodeFrame } from '@millrace/streams'
import { createTestDatabase, createTestRedis, freePort, spawnService, waitFor } from '@millrace/testing'
import { readLogFrame } from '../src/append/log-frame.js'
import { decodeBatch } from '../src/batch/log-batch.js'
import type { StoredRecord } from '../src/records/record-limits.js'

const PARTITIONS = 16

/** A record as it is in the stream. */
export interface StreamedRecord extends Omit<StoredRecord, 'attributesJson'> {
  readonly attributes: Record<string, unknown>
}

export type TestShipper = Awaited<ReturnType<typeof startShipper>>

/** log-shipper as a process, on a database and a Redis of its own. `env` is added to its settings. */
export async function startShipper(env: (key: string) => Record<string, string> = () => ({})) {
  const testDatabase = await createTestDatabase({ migrate })
  const testRedis = await createTestRedis()
  const database = openDatabase({ url: testDatabase.url })
  const redis = await openRedis({ url: testRedis.url, name: 'test' }, { logger: silentLogger })
  const key = generateApiKey()
  await seedKeys({ writeKey: key, adminKey: undefined, isProduction: false }, { database, logger: silentLogger })
  const port = await freePort()
  const grpcPort = await freePort()
  const shared = { DATABASE_URL: testDatabase.url, STREAM_REDIS_URL: testRedis.url }
  const service = await spawnService({
    app: 'log-shipper',
    env: { ...shared, HTTP_PORT: String(port), GRPC_PORT: String(grpcPort), ...env(key) },
  })
  const driver = createRedisDriver({}, { redis })

  async function read(): Promise<StreamedRecord[]> {
    const reader = await driver.openReader(LOGS_STREAM)
    for (let partition = 0; partition < PARTITIONS; partition++) reader.seek(partition, '')
    const frames = await reader.read({ framesMax: 10_000, bytesMax: 1e9, blockMs: 0 })
    await reader.close()
    return frames.flatMap(({ bytes }) => {
      const { header, payload } = decodeFrame(bytes)
      const { batches } = readLogFrame(payload, header.records)
      return batches.flatMap(({ bytes: lines, service }) =>
        decodeBatch(lines, { service, partition: 0, firstOrdinal: 0 }).map(toStreamed),
      )
    })
  }

  return {
    /** An API key with the scope write. */
    key,
    databaseUrl: testDatabase.url,
    port,
    /** Of the searches. */
    grpcPort,
    origin: `http://127.0.0.1:${port}`,
    service,
    database,
    /** Settings of a further process on the same database and stream. */
    env: shared,
    /** The records of the stream for which `matches` holds, as soon as there are `count` of them. */
    async records(count: number, matches: (record: StreamedRecord) => boolean = () => true): Promise<StreamedRecord[]> {
      let found: StreamedRecord[] = []
      await waitFor(
        async () => {
          found = (await read()).filter(matches)
          return found.length >= count
        },
        { deadlineMs: 60_000 },
      )
      return found
    },
    async stop() {
      await driver.close()
      await service.stop()
      await redis.close()
      await database.close()
      await testRedis.release()
      await testDatabase.release()
    },
  }
}

function toStreamed(line: StoredRecord): StreamedRecord {
  const { timeMs, timeSubNs, severity, severityText, service, host, traceId, spanId, message, flags } = line
  const names = { severity, severityText, service, host, traceId, spanId, message, flags }
  const { attributesJson, originalBytes } = line
  return { timeMs, timeSubNs, ...names, originalBytes, attributes: JSON.parse(attributesJson) }
}
