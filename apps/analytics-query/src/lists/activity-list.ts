import type { ListActivitiesRequest } from '@millrace/contracts'
import { filterText, type ListQuery, parseListQuery } from './list-query.js'
import { equal, type ListConditions, type ListTable, type StepRow } from './list-statement.js'

/** Null for conditions that the request does not have. */
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

/**
 * Two activities may have the same message id and time: of different users, or of one that was sent again after the 24
 * hours of deduplication. A page may then show one of the two rows.
 */
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

/**
 * Reads the index activity_logs_entity for an entity, activity_logs_user for a user, else activity_logs_time. All other
 * conditions filter its rows.
 */
export function activityConditions(tenantId: number, query: ActivitiesQuery): ListConditions {
  const { userId, action, entityType, entityId } = query
  const fields = equal({ action, entity_type: entityType })
  if (entityId !== null) {
    const walk = equal({ 'entity_id collate "C"': entityId })
    return { tenantId, walks: [walk], isOfEverybody: false, filters: [...equal({ user_id: userId }), ...fields] }
  }
  return { tenantId, walks: [equal({ user_id: userId })], isOfEverybody: userId === null, filters: fields }
}

/** An activity as JSON of the public API. Its metadata is copied as PostgreSQL prints it, without being parsed. */
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
