import type { SearchLogsRequest, SearchLogsResponse } from '@millrace/contracts'
import { bindCursor, decodePosition, encodePosition, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import type { LogLine } from '../batch/log-batch.js'
import { flagNames } from '../records/log-record.js'
import { formatTime } from '../records/parse-time.js'
import { levelOf } from '../records/severity.js'
import { toLogQuery } from '../search/log-query.js'
import { type SearchDeps, searchLines } from '../search/search-lines.js'
import type { LogPlace } from '../store/build-chunks.js'

export interface SearchLogsDeps extends SearchDeps {
  /** Everything accepted before this time is found; undefined while it is unknown. */
  readonly readWatermark: () => Promise<Date | undefined>
}

/** Finds a page of lines of the tenant of the call. */
export function createSearchLogs(deps: SearchLogsDeps) {
  return async function searchLogs(
    request: SearchLogsRequest,
    call: Pick<CallContext, 'tenant' | 'signal'>,
  ): Promise<SearchLogsResponse> {
    const tenantId = tenantOf(call)
    const { cursor: _cursor, limit: _limit, ...asked } = request
    const key = ['logs', asked]
    const before = toPlace(unbindCursor(request.cursor, key))
    // Before the search, so that the answer has everything up to it.
    const watermark = await deps.readWatermark()
    const page = await searchLines(tenantId, toLogQuery(request, before), { ...deps, signal: call.signal })
    return {
      linesJson: page.lines.map(toJson),
      nextCursor: page.next === undefined ? '' : bindCursor(encodePosition(fromPlace(page.next)), key),
      scanned: BigInt(page.scanned),
      skipped: BigInt(page.skipped),
      total: page.total === undefined ? undefined : BigInt(page.total),
      watermark,
    }
  }
}

function fromPlace({ timeMs, timeSubNs, partition, ordinal }: LogPlace): number[] {
  return [timeMs, timeSubNs, partition, ordinal]
}

type PlaceValues = readonly [timeMs: number, timeSubNs: number, partition: number, ordinal: number]

function toPlace(position: string): LogPlace | undefined {
  const values = decodePosition(
    position,
    (all): all is PlaceValues => all.length === 4 && all.every(Number.isSafeInteger),
  )
  if (values === null) return undefined
  const [timeMs, timeSubNs, partition, ordinal] = values
  return { timeMs, timeSubNs, partition, ordinal }
}

/** A line in the form of the public API. The attributes are JSON text already. */
function toJson(line: LogLine): string {
  const { severity, severityText, service, host, traceId, spanId, message, flags, originalBytes } = line
  const fields = {
    id: `${line.partition}-${line.ordinal}`,
    time: formatTime(line.timeMs, line.timeSubNs),
    level: levelOf(severity),
    severity,
    severity_text: severityText,
    service,
    host,
    trace_id: traceId,
    span_id: spanId,
    message,
    flags: flagNames(flags),
    original_bytes: originalBytes,
  }
  return `${JSON.stringify(fields).slice(0, -1)},"attributes":${line.attributesJson}}`
}
