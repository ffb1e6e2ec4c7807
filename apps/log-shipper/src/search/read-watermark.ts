import type { Queryable } from '@millrace/database'

/** Everything that was accepted before this time is in the tail or in a chunk; undefined while a partition has no watermark yet. */
export async function readWatermark(
  database: Queryable,
  { group, stream }: { readonly group: string; readonly stream: string },
): Promise<Date | undefined> {
  const { rows } = await database.query<{ watermark: Date | null }>({
    name: 'log-watermark',
    text: `select case when count(*) = count(watermark) then min(watermark) end as watermark from stream_partitions where group_name = $1 and stream = $2`,
    values: [group, stream],
  })
  return rows[0]?.watermark ?? undefined
}
