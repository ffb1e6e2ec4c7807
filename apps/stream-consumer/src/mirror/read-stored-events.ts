import { DAY_MS, type StoredEvent } from '@millrace/contracts'
import type { Queryable } from '@millrace/database'

/** Positions of one partition, all committed: `from` is the first, `to` is the one after the last. */
export interface PositionRange {
  readonly partition: number
  readonly from: number
  readonly to: number
  /** The first and the last UTC day on which the events of the range can be, ms since 1970; null when they are not known. */
  readonly days: { readonly firstMs: number; readonly lastMs: number } | null
}

/** What limits one read. */
export interface ReadLimits {
  readonly rowsMax: number
  /** Rows end once the rows before them have this size, as stored or as text. */
  readonly bytesMax: number
  /** Properties and context of an event that are larger than this together are left out, bytes of text. */
  readonly eventBytesMax: number
}

/** An event to be mirrored. */
export interface MirroredEvent extends StoredEvent {
  readonly tenant_id: number
  /** Whether properties and context were left out, because they are larger than `eventBytesMax`. */
  readonly is_omitted: boolean
}

/** The events of a range in the order of their positions, and the position from which the next read continues. */
export interface StoredEvents {
  readonly events: readonly MirroredEvent[]
  readonly next: number
}

/** Reads the stored events of a range. Positions without an event (duplicates, dead letters, events that were deleted) are passed over. */
export type ReadStoredEvents = (range: PositionRange, limits: ReadLimits) => Promise<StoredEvents>

/**
 * The only place of the mirror that knows how events are stored. It may be called for committed positions only: the consumer commits the positions of a
 * partition in order, so that no transaction that is still open can add an event below them.
 */
export function createReadStoredEvents({ database }: { database: Queryable }): ReadStoredEvents {
  return async ({ partition, from, to, days }, { rowsMax, bytesMax, eventBytesMax }) => {
    const { rows } = await database.query<MirroredEvent & { found: number }>({
      text: READ,
      plan: 'generic',
      mayRepeat: true,
      values: [
        partition,
        from,
        to,
        days === null ? '-infinity' : new Date(days.firstMs).toISOString(),
        days === null ? 'infinity' : new Date(days.lastMs + DAY_MS).toISOString(),
        rowsMax,
        bytesMax,
        eventBytesMax,
      ],
    })
    const last = rows.at(-1)
    const isWhole = last === undefined || (rows.length === last.found && last.found < rowsMax)
    return { events: rows, next: isWhole ? to : Number(last.position) + 1 }
  }
}

/**
 * Reads along the index events_position of each day, merged. Two sums limit the size: that of the stored sizes, which PostgreSQL knows without
 * decompressing values, limits how much is decompressed and printed; that of the texts limits how much is sent. "offset 0" keeps texts from being
 * computed twice.
 */
const READ = `select partition, position, tenant_id, (extract(epoch from "timestamp") * 1000000)::bigint as timestamp_us, received_at, type, message_id, event,
    user_id, anonymous_id, found, text_bytes > $8::bigint as is_omitted,
    case when text_bytes > $8::bigint then null else properties end as properties, case when text_bytes > $8::bigint then null else context end as context
  from (
    select t.*, coalesce(sum(least(text_bytes, $8::bigint)) over before, 0) as sent_before
    from (
      select s.*, coalesce(octet_length(s.properties), 0) + coalesce(octet_length(s.context), 0) as text_bytes
      from (
        select r.partition, r.position, r.tenant_id, r."timestamp", r.received_at, r.type, r.message_id, r.event, r.user_id, r.anonymous_id, r.found,
          r.properties::text as properties, r.context::text as context
        from (
          select e.*, (count(*) over ())::integer as found,
            coalesce(sum(coalesce(pg_column_size(e.properties), 0) + coalesce(pg_column_size(e.context), 0)) over before, 0) as stored_before
          from (
            select * from events where partition = $1::smallint and position >= $2::bigint and position < $3::bigint
              and "timestamp" >= $4::timestamptz and "timestamp" < $5::timestamptz order by position limit $6::integer
          ) e window before as (order by e.position rows between unbounded preceding and 1 preceding)
        ) r where r.stored_before < $7::bigint order by r.position offset 0
      ) s offset 0
    ) t window before as (order by t.position rows between unbounded preceding and 1 preceding)
  ) v where v.sent_before < $7::bigint order by v.position`
