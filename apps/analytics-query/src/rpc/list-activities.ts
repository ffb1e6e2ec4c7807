import type { ListActivitiesRequest, ListActivitiesResponse } from '@millrace/contracts'
import { unbindCursor } from '@millrace/pagination'
import { tenantOf } from '@millrace/service'
import {
  ACTIVITIES,
  type ActivityRow,
  activityConditions,
  parseActivitiesQuery,
  toActivityJson,
} from '../lists/activity-list.js'
import type { WatermarkConfig } from '../reads/watermark-statement.js'
import { queryOfCursor } from './query-of-cursor.js'
import { type ListCall, type ReadListDeps, readList } from './read-list.js'

/** Returns one page of activities of the tenant of the call. */
export function createListActivities(config: WatermarkConfig, deps: ReadListDeps) {
  return async function handleListActivities(
    request: ListActivitiesRequest,
    call: ListCall,
  ): Promise<ListActivitiesResponse> {
    const tenantId = tenantOf(call)
    const query = parseActivitiesQuery(request, unbindCursor(request.cursor, queryOfCursor(request)))
    const { dataJson, nextCursor, meta } = await readList<ActivityRow>(config, deps, {
      call,
      reading: {
        kind: 'activity_list',
        tenantId,
        request,
        query,
        table: ACTIVITIES,
        conditions: activityConditions(tenantId, query),
        beside: [],
        toJson: toActivityJson,
      },
    })
    return { dataJson, nextCursor, meta }
  }
}
