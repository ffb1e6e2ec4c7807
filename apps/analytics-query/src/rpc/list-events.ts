import type { ListEventsRequest, ListEventsResponse } from '@millrace/contracts'
import { bindCursor, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import type { AdmissionControl } from '../admission/admission-control.js'
import { parseEventsQuery } from '../lists/events-query.js'
import { listEvents } from '../lists/list-events.js'
import type { QueryMetrics } from '../metrics.js'
import type { Snapshot } from '../reads/snapshot.js'
import { queryOfCursor } from './query-of-cursor.js'
import { readOptionsOf } from './read-options.js'

export interface ListEventsDeps {
  readonly snapshot: Snapshot
  /** Default: every page is admitted. */
  readonly admission?: AdmissionControl | undefined
  readonly metrics: QueryMetrics
  readonly now: () => number
  readonly monotonicMs?: () => number
}

/** Returns one page of stored events of the tenant of the call. */
export function createListEvents(deps: ListEventsDeps) {
  const { snapshot, admission, metrics, now, monotonicMs = () => performance.now() } = deps
  return async function handleListEvents(
    request: ListEventsRequest,
    call: Pick<CallContext, 'tenant' | 'signal' | 'deadline'>,
  ): Promise<ListEventsResponse> {
    const tenantId = tenantOf(call)
    const asked = queryOfCursor(request)
    const query = parseEventsQuery(request, unbindCursor(request.cursor, asked))
    const startedAt = performance.now()
    const page = await snapshot(
      tenantId,
      async (tx) => {
        await admission?.admitPage({ tenantId, query })
        return await listEvents(tx, tenantId, query, { nowMs: now(), monotonicMs })
      },
      readOptionsOf(call),
    )
    metrics.observe('events', 'raw', (performance.now() - startedAt) / 1000)
    return { ...page, nextCursor: bindCursor(page.nextCursor, asked) }
  }
}
