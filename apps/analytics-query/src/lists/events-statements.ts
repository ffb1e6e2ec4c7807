import type { StoredEvent } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import type { TimeRange } from '../query/time-range.js'
import { userHash } from '../query/user-hash.js'
import { filterSql } from '../sql/field-sql.js'
import { instant, SqlValues } from '../sql/sql-values.js'
import type { EventsQuery } from './events-query.js'

export interface EventRow extends StoredEvent {
  /** Whether further rows follow that were not returned because of their size. */
  readonly has_next: boolean
}

/** The first and last day partition; their names sort like their days. */
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
  /** Rows end once the rows before them reach this size, as stored or as text. */
  readonly bytes: number
}

/**
 * The newest rows of a window after the position of the cursor. With a user (user id, or else anonymous id) it reads
 * the index events_user, which is in the order of the page, by a plan that the connection keeps. Without one it reads
 * the BRIN index on time and sorts, which is why windows are narrow. Two sums limit the size of the page: that of the
 * stored sizes, which PostgreSQL knows without decompressing values, limits how much is decompressed; that of the texts
 * limits how much is sent.
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
  // Columns are computed only for rows of the page, and texts only once, which "offset 0" is for.
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
