// A consumer as a process of its own. argv: redis or kafka, its URL or brokers, the stream, the URL of PostgreSQL, a name. Stores lines into the table effects.
import { openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { openStreamDriver, runConsumer } from '../dist/index.js'

const [, , kind, url, stream, databaseUrl, member] = process.argv
const say = (message) => process.stdout.write(`${message}\n`)
const logger = { ...silentLogger, child: () => logger, info: say, warn: say, error: say }
const redis = kind === 'redis' ? await openRedis({ url, name: 'stream' }, { logger: silentLogger }) : undefined
const driver = await openStreamDriver({ STREAM_DRIVER: kind, KAFKA_BROKERS: [url] }, { redis, logger })
const database = openDatabase({ url: databaseUrl })
const handler = {
  async assigned() {},
  prepare: (batch) => batch,
  async apply({ frames }, tx) {
    const rows = frames.flatMap(({ partition, firstOrdinal, payload }) =>
      payload
        .toString()
        .split('\n')
        .map((line, index) => [partition, firstOrdinal + index, line]),
    )
    await tx.query(
      'insert into effects select * from unnest($1::smallint[], $2::bigint[], $3::text[])',
      [0, 1, 2].map((column) => rows.map((row) => row[column])),
    )
    // Long enough for a signal to find it inside a transaction.
    await tx.query('select pg_sleep(0.005)')
  },
  revoked() {},
}
const settings = {
  partitions: 4,
  // With Kafka it is the session timeout as well: a member on a busy machine must be able to keep it.
  leaseMs: 2000,
  heartbeatMs: 150,
  batchRecordsMax: 50,
  retryFirstMs: 20,
  retryCapMs: 200,
}
await runConsumer({ driver, stream, group: `${stream}-store`, member, database, handler, settings }, { logger })
say('running')
