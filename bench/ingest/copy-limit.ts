import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { from, to } from 'pg-copy-streams'

const BATCH_ROWS = 10_000
const COLUMNS =
  'partition, position, user_hash, "timestamp", received_at, tenant_id, type, message_id, event, user_id, anonymous_id, properties, context'
/** No tenant has this number, and no row of a stream a negative position: the copies disturb no answer and no check. */
const COPIED = COLUMNS.replace('position', '-1 - position').replace('tenant_id', '0')

export interface CopyOptions {
  databaseUrl: string
  /** Duration of each of the two measurements. */
  seconds: number
  /** Default 300,000. */
  sampleRows?: number
}

export interface CopyLimit {
  rows_per_s: number
  sorted_rows_per_s: number
}

/**
 * The raw limit: one client copies rows that came in before into the same table again, in binary, 10,000 a transaction, for
 * `seconds` each in the order of their arrival and sorted by user within a batch, which is how the consumer writes them.
 */
export async function measureCopyLimit({
  databaseUrl,
  seconds,
  sampleRows = 300_000,
}: CopyOptions): Promise<CopyLimit> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(`create temp table copy_sample as
      select row_number() over (order by received_at, message_id) as number, sample.* from (select * from events where position >= 0 limit ${sampleRows}) sample`)
    const { rows } = await client.query<{ count: number }>('select count(*)::int as count from copy_sample')
    const batches = Math.floor((rows[0]?.count ?? 0) / BATCH_ROWS)
    if (batches === 0) throw new Error('too few rows are stored for a sample')
    const copyInOrder = async (order: string) => {
      const bodies: Buffer[] = []
      for (let batch = 0; batch < batches; batch++) bodies.push(await readBatch(client, batch, order))
      return await copyFor(client, bodies, seconds)
    }
    const result = { rows_per_s: await copyInOrder('number'), sorted_rows_per_s: await copyInOrder('user_hash') }
    await client.query('drop table copy_sample')
    return result
  } finally {
    await client.end()
  }
}

async function readBatch(client: pg.Client, batch: number, order: string): Promise<Buffer> {
  const low = batch * BATCH_ROWS
  const sql = `copy (select ${COPIED} from copy_sample where number > ${low} and number <= ${low + BATCH_ROWS} order by ${order}) to stdout (format binary)`
  const chunks: Buffer[] = []
  for await (const chunk of client.query(to(sql))) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function copyFor(client: pg.Client, bodies: Buffer[], seconds: number): Promise<number> {
  const start = performance.now()
  let batches = 0
  while (performance.now() - start < seconds * 1000) {
    const body = bodies[batches % bodies.length]
    await pipeline(Readable.from([body]), client.query(from(`copy events (${COLUMNS}) from stdin (format binary)`)))
    batches++
  }
  return Math.round((batches * BATCH_ROWS * 1000) / (performance.now() - start))
}
