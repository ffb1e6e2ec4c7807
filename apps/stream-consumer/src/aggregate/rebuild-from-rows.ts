import { RecordBatchBuilder, seriesKey } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import type { AssignedPartition } from '@millrace/streams'
import { openFrame } from '../store/frame-view.js'
import { pointsOf, type RollupDefinition } from './evaluate-definition.js'
import type { RecoverDeps } from './recover-rollups.js'

const ROWS_A_FETCH = 2000

interface StoredRow {
  position: bigint
  tenant_id: number
  event: string
  timestamp: Date
  user_hash: bigint
  properties: unknown
  context: unknown
}

/**
 * Counts the stored rows of one partition between the rollups' ordinal and the next one: for when the stream no longer holds the frames. There is
 * no index by ordinal, because nothing else asks for one, so this reads the table once.
 */
export async function rebuildFromRows(
  deps: RecoverDeps & { database: Database },
  assigned: AssignedPartition,
): Promise<void> {
  const { partition, flushedOrdinal, nextOrdinal, position } = assigned
  const connection = await deps.database.connection({
    applicationName: 'millrace-rebuild-rollups',
    statementTimeoutMs: 0,
  })
  try {
    await connection.transaction(async (tx) => {
      const { rows: definitions } = await tx.query<RollupDefinition>(
        `select event, dimensions, property from rollup_definitions where active_until is null or active_until > now()`,
      )
      await tx.query(
        `declare unflushed cursor for select position, tenant_id, event, "timestamp", user_hash, properties, context from events
         where partition = $1 and position >= $2 and position < $3`,
        [partition, flushedOrdinal, nextOrdinal],
      )
      for (;;) {
        const { rows } = await tx.query<StoredRow>(`fetch ${ROWS_A_FETCH} from unflushed`)
        if (rows.length === 0) break
        await countRows(deps, rows, { partition, position, definitions })
      }
    })
  } finally {
    await connection.close()
  }
  deps.rollups.apply({ partition, position, firstOrdinal: nextOrdinal, records: 0 }, null)
}

async function countRows(
  { rollups, registry }: RecoverDeps,
  rows: readonly StoredRow[],
  {
    partition,
    position,
    definitions,
  }: { partition: number; position: string; definitions: readonly RollupDefinition[] },
): Promise<void> {
  const builder = new RecordBatchBuilder()
  for (const row of rows) addRow(builder, row, definitions)
  const view = openFrame(builder.seal(), rows.length)
  const [series] = await registry.resolve([view.reader.seriesKeys()])
  rollups.apply(
    { partition, position, firstOrdinal: 0, records: rows.length },
    { view, series: series ?? [], verdicts: null },
  )
}

function addRow(builder: RecordBatchBuilder, row: StoredRow, definitions: readonly RollupDefinition[]): void {
  const { tenant_id: tenantId, event } = row
  const record = {
    tenantId,
    event,
    messageHashLo: 0,
    messageHashHi: 0,
    userHashLo: Number(BigInt.asUintN(32, row.user_hash)),
    userHashHi: Number(BigInt.asUintN(32, row.user_hash >> 32n)),
    timestampMs: row.timestamp.getTime(),
    receivedAtMs: row.timestamp.getTime(),
    type: 0,
    flags: 0,
    messageId: '',
    userId: null,
    anonymousId: null,
    properties: null,
    context: null,
  }
  const index = builder.add(record, seriesKey({ tenantId, event, property: null, dimensions: [], values: [] }))
  for (const { value, ...series } of pointsOf(row, definitions))
    builder.addPoint(index, seriesKey({ tenantId, ...series }), value)
}
