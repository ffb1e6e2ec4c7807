import type { ListSessionsRequest, ListSessionsResponse } from '@millrace/contracts'
import { unbindCursor } from '@millrace/pagination'
import { tenantOf } from '@millrace/service'
import {
  activeSessionsStatement,
  parseSessionsQuery,
  SESSIONS,
  type SessionRow,
  sessionConditions,
  toSessionJson,
} from '../lists/session-list.js'
import type { WatermarkConfig } from '../reads/watermark-statement.js'
import { queryOfCursor } from './query-of-cursor.js'
import { type ListCall, type ReadListDeps, readList } from './read-list.js'

/**
 * Returns one page of sessions of the tenant of the call. The first page has the number of active sessions, of the
 * tenant or of the requested user.
 */
export function createListSessions(config: WatermarkConfig, deps: ReadListDeps) {
  return async function handleListSessions(
    request: ListSessionsRequest,
    call: ListCall,
  ): Promise<ListSessionsResponse> {
    const tenantId = tenantOf(call)
    const query = parseSessionsQuery(request, unbindCursor(request.cursor, queryOfCursor(request)))
    const isFirst = query.after === null
    const {
      beside: [counted],
      ...answer
    } = await readList<SessionRow>(config, deps, {
      call,
      reading: {
        kind: 'session_list',
        tenantId,
        request,
        query,
        table: SESSIONS,
        conditions: sessionConditions(tenantId, query),
        beside: isFirst ? [activeSessionsStatement(tenantId, query)] : [],
        toJson: toSessionJson,
      },
    })
    return { ...answer, summaryJson: Buffer.from(isFirst ? toSummary(counted) : '') }
  }
}

function toSummary(rows: readonly unknown[] | undefined): string {
  const [row] = (rows ?? []) as { active: bigint }[]
  return JSON.stringify({ active_sessions: Number(row?.active ?? 0n) })
}
