import type { LedgerSnapshot, PartitionPosition, Produced } from './ledger-rows.js'

/** What had been acknowledged at one moment, and where the partitions of the stream ended after it. */
export interface Checkpoint {
  readonly produced: readonly Produced[]
  /** Read after `produced`, so all records in those counts lie before these ends or in a spool. */
  readonly ends: readonly PartitionPosition[]
  readonly takenAtMs: number
}

/** Missing records of one producer and tenant. */
export interface Deficit {
  readonly producer: string
  readonly tenantId: number
  readonly records: number
}

/** Whether the consumer has read everything up to the checkpoint's ends. */
export function isPassed(
  checkpoint: Checkpoint,
  positions: readonly PartitionPosition[],
  compare: (a: string, b: string) => number,
): boolean {
  const reached = new Map(positions.map(({ partition, position }) => [partition, position]))
  return checkpoint.ends.every(
    ({ partition, position }) => position === '' || compare(reached.get(partition) ?? '', position) >= 0,
  )
}

/**
 * The records that a passed checkpoint proves to be lost. All acknowledged records lay before the ends or in a spool; the consumer has read up to
 * the ends; so records that it has not counted are gone. This also holds under load, because later records are not compared.
 */
export function findDeficits(checkpoint: Checkpoint, now: Pick<LedgerSnapshot, 'consumed' | 'gaps'>): Deficit[] {
  const consumed = new Map(now.consumed.map((row) => [`${row.producer} ${row.tenantId}`, row.accepted]))
  const deficits = checkpoint.produced.flatMap(({ producer, tenantId, accepted, spooled }) => {
    const records = accepted - spooled - (consumed.get(`${producer} ${tenantId}`) ?? 0)
    return records > 0 ? [{ producer, tenantId, records }] : []
  })
  return [...deficits, ...gapDeficits(checkpoint.produced, deficits, now)]
}

/**
 * Records that are missing in gaps of frame sequences and that no deficit explains. When the producer's own count covers everything that was
 * consumed, it is complete, and the missing records were never acknowledged. When the producer died before it wrote its count, they may have been,
 * so they count as lost. A gap has no tenant; it is assigned to the tenant with the most records of that producer.
 */
function gapDeficits(
  produced: readonly Produced[],
  deficits: readonly Deficit[],
  { consumed, gaps }: Pick<LedgerSnapshot, 'consumed' | 'gaps'>,
): Deficit[] {
  return gaps.flatMap(({ producer, lostRecords }) => {
    const rows = consumed.filter((row) => row.producer === producer).sort((a, b) => b.accepted - a.accepted)
    const flushed = sumOf(
      produced.filter((row) => row.producer === producer),
      ({ accepted }) => accepted,
    )
    if (flushed >= sumOf(rows, ({ accepted }) => accepted)) return []
    const explained = sumOf(
      deficits.filter((deficit) => deficit.producer === producer),
      ({ records }) => records,
    )
    const records = lostRecords - explained
    const largest = rows[0]
    return records > 0 && largest !== undefined ? [{ producer, tenantId: largest.tenantId, records }] : []
  })
}

function sumOf<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0)
}
