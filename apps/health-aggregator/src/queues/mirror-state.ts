import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import type { Queryable } from '@millrace/database'
import { readPublishedSettings } from '@millrace/service'
import type { QueueScope } from './queue-state.js'

export interface MirrorLag {
  readonly partition: number
  /** Stored records that are not in the topic yet, duplicates and dead letters among them included; null when the partition was never mirrored. */
  readonly lagRecords: number | null
  /** How long the oldest of them has waited. */
  readonly lagSeconds: number
  readonly blockedReason: string | null
  /** Events that retention deleted before they were mirrored. */
  readonly missed: number
}

/** Returns a function that reads how far the events of each partition have been written to a Kafka topic. */
export function createReadMirror(
  { topic, group, stream }: Pick<QueueScope, 'group' | 'stream'> & { readonly topic: string },
  { database }: { database: Queryable },
): () => Promise<MirrorLag[]> {
  return async () => {
    const { rows } = await database.query<MirrorRow>({
      name: 'mirror_lag',
      text: MIRROR_LAG,
      values: [topic, group, stream],
    })
    return rows.map((row) => ({
      partition: row.partition,
      lagRecords: row.lag === null ? null : Number(row.lag),
      lagSeconds: Math.max(0, row.lag_seconds),
      blockedReason: row.blocked_reason,
      missed: Number(row.missed),
    }))
  }
}

/** Returns a function that reads how long the running consumers keep events, in seconds; null when none says so. */
export function createReadRetention(database: Queryable): () => Promise<number | null> {
  return async () => {
    const published = await readPublishedSettings(database)
    const days = published
      .filter(({ service }) => service === 'stream-consumer')
      .map(({ values }) => values.EVENTS_RETENTION_DAYS)
      .filter((value) => typeof value === 'number')
    return days.length === 0 ? null : (Math.max(...days) * DAY_MS) / SECOND_MS
  }
}

interface MirrorRow {
  partition: number
  lag: bigint | null
  lag_seconds: number
  blocked_reason: string | null
  missed: bigint
}

/**
 * The journal knows when the record at the mirror's position was committed, as long as its row is kept. Of older records only the receipt of the last
 * mirrored event is known, so their lag is rather too long. Reads one row of the index event_journal_order for each partition that is behind.
 */
const MIRROR_LAG = `select p.partition, case when m.next_ordinal is not null then greatest(p.next_ordinal - m.next_ordinal, 0) end as lag, m.blocked_reason, coalesce(m.missed, 0) as missed,
    case when p.next_ordinal > m.next_ordinal
      then extract(epoch from now() - coalesce(case when j.ends > m.next_ordinal then j.committed_at end, m.mirrored_until)) else 0 end::float8 as lag_seconds
  from stream_partitions p
  left join mirror_positions m on m.topic = $1 and m.group_name = p.group_name and m.stream = p.stream and m.partition = p.partition
  left join lateral (
    select j.committed_at, j.first_ordinal + j.records as ends from event_journal j
    where p.next_ordinal > m.next_ordinal and j.partition = p.partition and j.first_ordinal <= m.next_ordinal
    order by j.first_ordinal desc, j.records desc limit 1
  ) j on true
  where p.group_name = $2 and p.stream = $3 order by p.partition`
