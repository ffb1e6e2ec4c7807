import type { ListActivitiesRequest } from '@millrace/contracts'
import { filterText, type ListQuery, parseListQuery } from './list-query.js'
import { equal, type ListConditions, type ListTable, type StepRow } from './list-statement.js'

/** null: not asked for. */
export interface ActivitiesQuery extends ListQuery {
  readonly userId: string | null
  readonly action: string | null
  readonly entityType: string | null
  readonly entityId: string | null
}

export interface ActivityRow extends StepRow {
  readonly user_id: string
  readonly timestamp: Date
  readonly action: string
  readonly entity_type: string
  readonly entity_id: string
  /** JSON text */
  readonly json: string
}

/** Of the same message sent again after the window of deduplication, with the same time, a page may show one row for two. */
export const ACTIVITIES: ListTable = {
  name: 'activity_logs',
  time: '"timestamp"',
  id: 'message_id',
  columns: 't.user_id, t."timestamp", t.action, t.entity_type, t.entity_id, t.json',
  json: 'metadata',
}

/** `position` is the cursor without its binding. @throws as parseListQuery and filterText */
export function parseActivitiesQuery(request: ListActivitiesRequest, position: string): ActivitiesQuery {
  return {
    ...parseListQuery(request, position),
    userId: filterText(request.userId, 'user_id'),
    action: filterText(request.action, 'action'),
    entityType: filterText(request.entityType, 'entity_type'),
    entityId: filterText(request.entityId, 'entity_id'),
  }
}

/** Those of an entity by activity_logs_entity, of a user by activity_logs_user, else by activity_logs_time; the rest is looked at on the way. */
export function activityConditions(tenantId: number, query: ActivitiesQuery): ListConditions {
  const { userId, action, entityType, entityId } = query
  const fields = equal({ action, entity_type: entityType })
  if (entityId !== null) {
    const walk = equal({ 'entity_id collate "C"': entityId })
    return { tenantId, walks: [walk], isOfEverybody: false, filters: [...equal({ user_id: userId }), ...fields] }
  }
  return { tenantId, walks: [equal({ user_id: userId })], isOfEverybody: userId === null, filters: fields }
}

/** An activity in the shape of the public API. Its metadata is put in as PostgreSQL prints it, without being parsed. */
export function toActivityJson(row: ActivityRow): string {
  const head = JSON.stringify({
    message_id: row.id,
    user_id: row.user_id,
    timestamp: row.timestamp,
    action: row.action,
    entity_type: row.entity_type,
    entity_id: row.entity_id,
  })
  return `${head.slice(0, -1)},"metadata":${row.json}}`
}
