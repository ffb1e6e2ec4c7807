import type { ListActivitiesRequest, ListActivitiesResponse } from '@millrace/contracts'
import { tenantOf } from '@millrace/service'
import {
  ACTIVITIES,
  type ActivityRow,
  activityConditions,
  parseActivitiesQuery,
  toActivityJson,
} from '../lists/activity-list.js'
import type { WatermarkConfig } from '../reads/watermark-statement.js'
import { openCursor } from './cursor-mark.js'
import { type ListCall, type ReadListDeps, readList } from './read-list.js'

/** One page of activities of the caller's tenant. */
export function createListActivities(config: WatermarkConfig, deps: ReadListDeps) {
  return async function handleListActivities(
    request: ListActivitiesRequest,
    call: ListCall,
  ): Promise<ListActivitiesResponse> {
    const tenantId = tenantOf(call)
    const query = parseActivitiesQuery(request, openCursor(request))
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
