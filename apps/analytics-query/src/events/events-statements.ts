import type { Statement } from '@millrace/database'
import { userHash } from '../execute/raw-statement.js'
import { instant, SqlValues } from '../execute/sql-values.js'
import type { TimeRange } from '../plan/plan.js'
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
}

/**
 * The newest rows of a window after the cursor's place. With a user by the index events_user, whose order is that of the page, in whichever
 * partitions the window has, by a kept plan; else by the BRIN index on time, sorted, which is why windows are narrow.
 */
export function windowStatement({ tenantId, query, window, limit }: WindowRequest): Statement {
  const values = new SqlValues()
  const conditions = [
    `e.tenant_id = ${values.add(tenantId, 'integer')}`,
    `e."timestamp" >= ${instant(values, window.fromMs)}`,
    `e."timestamp" < ${instant(values, window.toMs)}`,
  ]
  if (query.userId !== null) {
    conditions.push(
      `e.user_hash = ${values.add(userHash(query.userId, tenantId), 'bigint')}`,
      `e.user_id = ${values.add(query.userId, 'text')}`,
    )
  }
  if (query.event !== null) conditions.push(`e.event = ${values.add(query.event, 'text')}`)
  if (query.messageId !== null) conditions.push(`e.message_id = ${values.add(query.messageId, 'text')}`)
  if (query.after !== null) {
    const { timestampUs, partition, position } = query.after
    const time = `timestamptz 'epoch' + ${values.add(timestampUs, 'bigint')} * interval '1 microsecond'`
    conditions.push(
      `(e."timestamp", e.partition, e.position) < (${time}, ${values.add(partition, 'smallint')}, ${values.add(position, 'bigint')})`,
    )
  }
  const columns = `(extract(epoch from e."timestamp") * 1000000)::bigint as timestamp_us, e.received_at, e.partition, e.position, e.type,
    e.message_id, e.event, e.user_id, e.anonymous_id, e.properties::text as properties, e.context::text as context`
  // Columns are made of the rows of the page, and not once a partition.
  const order = `e."timestamp" desc, e.partition desc, e.position desc`
  return {
    text: `select ${columns} from (select * from events e where ${conditions.join(' and ')}
      order by ${order} limit ${values.add(limit, 'integer')}) e order by ${order}`,
    values: values.list,
    mayRepeat: true,
    ...(query.userId !== null && { plan: 'kept' }),
  }
}
