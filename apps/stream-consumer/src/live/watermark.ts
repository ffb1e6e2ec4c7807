import type { Queryable } from '@millrace/database'

/** The watermark of the stream: the minimum over all partitions; null when a partition has none yet. */
export async function readWatermark(
  database: Queryable,
  { group, stream }: { group: string; stream: string },
): Promise<Date | null> {
  const { rows } = await database.query<{ watermark: Date | null }>({
    name: 'read_watermark',
    text: `select case when count(*) = count(watermark) then min(watermark) end as watermark from stream_partitions where group_name = $1 and stream = $2`,
    values: [group, stream],
  })
  return rows[0]?.watermark ?? null
}

/**
 * The watermark as it was read last, for those who must not wait for the database. An old one stays true: everything that was accepted before it is
 * stored.
 */
export class KnownWatermark {
  /** null while it is unknown. */
  last: Date | null = null
}
