import type { GetReceiptResponse, Receipt, ReceiptFrameRange } from '@millrace/contracts'
import type { Queryable } from '@millrace/database'
import { consumerErrors } from '../errors.js'
import { VERDICT } from '../store/prepared-batch.js'

interface FrameRow {
  i: bigint
  /** null when the frame has no journal row. */
  records: number | null
  verdicts: Buffer | null
  /** Whether the frame was consumed. Then a missing journal row is beyond its retention. */
  seen: boolean
  /** Number of dead letters in the range that were replayed since. */
  replayed: bigint
}

/**
 * Counts the records of a receipt by their verdict in the journal. A dead letter that was replayed successfully
 * counts as stored.
 * @throws RECEIPT_UNKNOWN when a frame's journal row has been deleted, or when the range does not fit the frame.
 */
export async function readReceipt(database: Queryable, stream: string, receipt: Receipt): Promise<GetReceiptResponse> {
  const rows = await selectFrames(database, stream, receipt)
  const total = { stored: 0, duplicate: 0, deadLettered: 0, inFlight: 0 }
  const frames = receipt.frames.map((range, index) => {
    const row = rows.get(index)
    const isSettled = row !== undefined && row.records !== null
    if (isSettled) countRange(total, range, row)
    else if (row?.seen === true) throw consumerErrors.RECEIPT_UNKNOWN()
    else total.inFlight += range.records
    return { partition: range.partition, sequence: BigInt(range.sequence), records: range.records, settled: isSettled }
  })
  return {
    state: total.inFlight === 0 ? 'settled' : 'in_flight',
    accepted: BigInt(receipt.frames.reduce((sum, { records }) => sum + records, 0)),
    stored: BigInt(total.stored),
    duplicate: BigInt(total.duplicate),
    deadLettered: BigInt(total.deadLettered),
    inFlight: BigInt(total.inFlight),
    frames,
  }
}

function countRange(
  total: { stored: number; duplicate: number; deadLettered: number },
  range: ReceiptFrameRange,
  row: FrameRow,
): void {
  if (range.first + range.records > (row.records ?? 0))
    throw consumerErrors.RECEIPT_UNKNOWN({ message: 'the receipt does not fit its frames' })
  for (let index = range.first; index < range.first + range.records; index++) {
    const verdict = row.verdicts?.[index] ?? VERDICT.stored
    if (verdict === VERDICT.stored) total.stored++
    else if (verdict === VERDICT.duplicate) total.duplicate++
    else total.deadLettered++
  }
  total.stored += Number(row.replayed)
  total.deadLettered -= Number(row.replayed)
}

/**
 * One look-up in event_journal_frame for each frame. The other two subqueries run only when they can change the
 * result.
 */
async function selectFrames(
  database: Queryable,
  stream: string,
  { tenantId, producer, frames }: Receipt,
): Promise<Map<number, FrameRow>> {
  const { rows } = await database.query<FrameRow>({
    name: 'select_receipt',
    // Repeated while a caller waits.
    mayRepeat: true,
    text: `select f.i, j.records, j.verdicts,
             j.records is null and exists (select from stream_producers p where p.stream = $1 and p.partition = f.partition and p.producer = $2
               and p.last_sequence >= f.sequence) as seen,
             case when j.dead_lettered > 0 then (select count(*) from dead_letters d where d.tenant_id = $3 and d.stream = $1 and d.producer = $2
               and d.partition = f.partition and d.sequence = f.sequence and d.record_index >= f.first
               and d.record_index < f.first + f.records and d.state = 'replayed') else 0 end as replayed
           from unnest($4::smallint[], $5::bigint[], $6::integer[], $7::integer[]) with ordinality as f (partition, sequence, first, records, i)
           left join lateral (select records, verdicts, dead_lettered from event_journal j
             where j.partition = f.partition and j.producer = $2 and j.sequence = f.sequence limit 1) j on true`,
    values: [
      stream,
      producer,
      tenantId,
      frames.map(({ partition }) => partition),
      frames.map(({ sequence }) => sequence),
      frames.map(({ first }) => first),
      frames.map(({ records }) => records),
    ],
  })
  return new Map(rows.map((row) => [Number(row.i) - 1, row]))
}
