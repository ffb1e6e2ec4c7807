import { RecordBatchBuilder } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import { CompiledDefinitions, type EventFields, type EventSeries, loadRollupDefinitions } from '@millrace/rollups'
import type { AssignedPartition } from '@millrace/streams'
import { openFrame } from '../store/frame-view.js'
import type { RecoverDeps } from './recover-rollups.js'

const ROWS_PER_FETCH = 2000

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
 * Adds the stored rows of one partition that are not in its rollups yet, for the case that the stream no longer holds
 * their frames. There is no index on the ordinal, because nothing else needs one, so this scans the table once.
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
      const definitions = new CompiledDefinitions(await loadRollupDefinitions(tx), { slotsMax: 0 })
      await tx.query(
        `declare unflushed cursor for select position, tenant_id, event, "timestamp", user_hash, properties, context from events
         where partition = $1 and position >= $2 and position < $3`,
        [partition, flushedOrdinal, nextOrdinal],
      )
      for (;;) {
        const { rows } = await tx.query<StoredRow>(`fetch ${ROWS_PER_FETCH} from unflushed`)
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
  { partition, position, definitions }: { partition: number; position: string; definitions: CompiledDefinitions },
): Promise<void> {
  const builder = new RecordBatchBuilder()
  const described = new Map<string, EventSeries>()
  for (const row of rows) {
    const name = `${row.tenant_id} ${row.event}`
    const series = described.get(name) ?? definitions.describe(row.tenant_id, row.event)
    described.set(name, series)
    addRow(builder, row, series)
  }
  const view = openFrame(builder.seal(), rows.length)
  const [series] = await registry.resolve([view.reader.seriesKeys()])
  rollups.apply(
    { partition, position, firstOrdinal: 0, records: rows.length },
    { view, series: series ?? [], verdicts: null },
  )
}

function addRow(builder: RecordBatchBuilder, row: StoredRow, series: EventSeries): void {
  const record = {
    tenantId: row.tenant_id,
    event: row.event,
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
  const index = builder.add(record, series.seriesKey)
  const fields = fieldsOf(row)
  for (const reader of series.readers) {
    const point = reader.read(fields)
    if (point !== undefined) builder.addPoint(index, point.key, point.value)
  }
}

const NO_BYTES = Buffer.alloc(0)

/** A stored row as the gateway saw the event, but with all its values parsed. */
function fieldsOf({ properties, context }: StoredRow): EventFields {
  return { bytes: NO_BYTES, watched: () => 0, parsed: (root) => (root === 'context' ? context : properties) }
}
