import type { LedgerSnapshot, PartitionPosition, Produced } from './ledger-rows.js'

/** What had been acknowledged at a moment, and where the streams ended after it. */
export interface Checkpoint {
  readonly produced: readonly Produced[]
  /** Taken after `produced`, so that whatever those counts hold lies before them, or in a spool. */
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
 * What a passed checkpoint proves to be missing: everything that was acknowledged and not in a spool lay before the ends, all of that
 * has been read, so what the consumer has not counted is gone. Under load too, since only records from before the checkpoint are compared.
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
 * Gaps that no count explains. A gateway whose own count holds all that was consumed is right about the rest as well: what is missing was
 * never acknowledged. One that died before it flushed cannot tell, and then the gap counts. A gap names no tenant, so it is laid to the one
 * that the producer had the most records of.
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
