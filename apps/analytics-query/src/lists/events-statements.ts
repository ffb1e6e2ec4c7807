import type { Statement } from '@millrace/database'
import type { TimeRange } from '../query/time-range.js'
import { userHash } from '../query/user-hash.js'
import { filterSql } from '../sql/field-sql.js'
import { instant, SqlValues } from '../sql/sql-values.js'
import type { EventsQuery } from './events-query.js'

export interface EventRow {
  readonly timestamp_us: bigint
  readonly received_at: Date
  readonly partition: number
  readonly position: bigint
  readonly type: number
  readonly message_id: string
  readonly event: string
  readonly user_id: string | null
  readonly anonymous_id: string | null
  /** JSON texts */
  readonly properties: string | null
  readonly context: string | null
  /** Of the last row: whether bytes ended the reading, and not the window or the limit. */
  readonly has_next: boolean
}

/** The first and last day partition; their names sort as their days do. */
export const keptDaysStatement: Statement = {
  name: 'events_kept_days',
  text: `select min(name) as first, max(name) as last from (select inhrelid::regclass::text as name from pg_inherits where inhparent = 'events'::regclass) partition
    where name ~ '_[0-9]{8}$'`,
}

export interface WindowRequest {
  readonly tenantId: number
  readonly query: EventsQuery
  readonly window: TimeRange
  readonly limit: number
  /** No row follows once those before it hold so much, as it is stored or as it is sent. */
  readonly bytes: number
}

/**
 * The newest rows of a window after the cursor's place. With a user (the user id, or the anonymous id where there is none) by the index events_user,
 * whose order is that of the page, in whichever partitions the window has, by a kept plan; else by the BRIN index on time, sorted, which is why
 * windows are narrow. The sum of the stored sizes, which PostgreSQL knows without reading values, keeps it from unpacking much more than is
 * sent; that of the texts from sending much more than fits the page.
 */
export function windowStatement({ tenantId, query, window, limit, bytes }: WindowRequest): Statement {
  const values = new SqlValues()
  const conditions = [
    `e.tenant_id = ${values.add(tenantId, 'integer')}`,
    `e."timestamp" >= ${instant(values, window.fromMs)}`,
    `e."timestamp" < ${instant(values, window.toMs)}`,
  ]
  if (query.userId !== null) {
    conditions.push(
      `e.user_hash = ${values.add(userHash(query.userId, tenantId), 'bigint')}`,
      `coalesce(e.user_id, e.anonymous_id) = ${values.add(query.userId, 'text')}`,
    )
  }
  if (query.event !== null) conditions.push(`e.event = ${values.add(query.event, 'text')}`)
  if (query.messageId !== null) conditions.push(`e.message_id = ${values.add(query.messageId, 'text')}`)
  conditions.push(...query.filters.map((filter) => filterSql(filter, values)))
  if (query.after !== null) {
    const { timestampUs, partition, position } = query.after
    const time = `timestamptz 'epoch' + ${values.add(timestampUs, 'bigint')} * interval '1 microsecond'`
    conditions.push(
      `(e."timestamp", e.partition, e.position) < (${time}, ${values.add(partition, 'smallint')}, ${values.add(position, 'bigint')})`,
    )
  }
  const order = `e."timestamp" desc, e.partition desc, e.position desc`
  const bytesMax = values.add(bytes, 'bigint')
  const before = `window before as (order by ${order} rows between unbounded preceding and 1 preceding)`
  // Columns are made of the rows of the page, and not once a partition; texts once, which "offset 0" is for.
  const newest = `select e.*, lead(e.partition) over before is not null as has_next, ${sumOf('pg_column_size')} over before as stored_before
    from (select * from events e where ${conditions.join(' and ')} order by ${order} limit ${values.add(limit, 'integer')}) e ${before}`
  const texts = `select e."timestamp", e.received_at, e.partition, e.position, e.type, e.message_id, e.event, e.user_id, e.anonymous_id,
    e.properties::text as properties, e.context::text as context, e.has_next
    from (${newest}) e where coalesce(e.stored_before, 0) < ${bytesMax} order by ${order} offset 0`
  return {
    text: `select (extract(epoch from e."timestamp") * 1000000)::bigint as timestamp_us, e.received_at, e.partition, e.position, e.type,
      e.message_id, e.event, e.user_id, e.anonymous_id, e.properties, e.context, e.has_next
      from (select e.*, ${sumOf('octet_length')} over before as sent_before from (${texts}) e ${before}) e
      where coalesce(e.sent_before, 0) < ${bytesMax} order by ${order}`,
    values: values.list,
    mayRepeat: true,
    ...(query.userId !== null && query.filters.length === 0 && { plan: 'generic' }),
  }
}

function sumOf(size: string): string {
  return `sum(coalesce(${size}(e.properties), 0) + coalesce(${size}(e.context), 0))`
}
