import { coreErrors, type SearchLogsRequest, type SearchLogsResponse } from '@millrace/contracts'
import { bindCursor, decodePosition, encodePosition, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import type { LogLine } from '../batch/log-batch.js'
import type { LogPlace } from '../batch/log-place.js'
import { flagNames } from '../records/log-record.js'
import { formatTime } from '../records/parse-time.js'
import { levelOf } from '../records/severity.js'
import { compileRequest } from '../search/compile-request.js'
import { type SearchDeps, searchLines } from '../search/search-lines.js'

export interface SearchLogsDeps extends SearchDeps {
  /** Everything accepted before this time is found; undefined while it is unknown. */
  readonly readWatermark: () => Promise<Date | undefined>
}

const LIMIT_DEFAULT = 10
const LIMIT_MAX = 100

/** Finds a page of lines of the tenant of the call. */
export function createSearchLogs(deps: SearchLogsDeps) {
  return async function searchLogs(
    request: SearchLogsRequest,
    call: Pick<CallContext, 'tenant' | 'signal'>,
  ): Promise<SearchLogsResponse> {
    const tenantId = tenantOf(call)
    const { cursor, limit, ...asked } = request
    if (limit > LIMIT_MAX) throw coreErrors.INVALID_REQUEST({ message: `limit must be from 1 to ${LIMIT_MAX}` })
    const key = ['logs', asked]
    const before = toPlace(unbindCursor(cursor, key))
    const page = { query: compileRequest(asked), limit: limit === 0 ? LIMIT_DEFAULT : limit, before }
    // Before the search, so that the answer has everything up to it.
    const watermark = await deps.readWatermark()
    const found = await searchLines(tenantId, page, { ...deps, signal: call.signal })
    return {
      linesJson: found.lines.map(toJson),
      nextCursor: found.next === undefined ? '' : bindCursor(encodePosition(fromPlace(found.next)), key),
      scanned: BigInt(found.scanned),
      skipped: BigInt(found.skipped),
      total: found.total === undefined ? undefined : BigInt(found.total),
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
