import { coreErrors, type SearchLogsRequest, type SearchLogsResponse } from '@millrace/contracts'
import { bindCursor, decodePosition, encodePosition, unbindCursor } from '@millrace/pagination'
import { type CallContext, tenantOf } from '@millrace/service'
import type { LogPlace } from '../batch/log-place.js'
import { compileRequest } from '../query/compile-request.js'
import { createHighlighter } from '../query/highlight-line.js'
import { createLineWriter } from '../query/line-fields.js'
import { type OldestDeps, oldestLines } from '../query/oldest-lines.js'
import { parseQuery } from '../query/parse-query.js'
import { hintsFor } from '../query/query-hints.js'
import type { LogRow } from '../search/compiled-query.js'
import { searchLines } from '../search/search-lines.js'
import { readLimit } from './read-limit.js'

export interface SearchLogsDeps extends OldestDeps {
  /** Everything accepted before this time is found; undefined while it is unknown. */
  readonly readWatermark: () => Promise<Date | undefined>
}

const FIELDS_MAX = 50

/** Finds a page of lines of the tenant of the call. */
export function createSearchLogs(deps: SearchLogsDeps) {
  return async function searchLogs(
    request: SearchLogsRequest,
    call: Pick<CallContext, 'tenant' | 'signal'>,
  ): Promise<SearchLogsResponse> {
    const tenantId = tenantOf(call)
    const { cursor, limit, fields, highlight, ...asked } = request
    const count = readLimit(limit)
    if (fields.length > FIELDS_MAX)
      throw coreErrors.INVALID_REQUEST({ message: `fields has more than ${FIELDS_MAX} names` })
    const key = ['logs', asked]
    const place = toPlace(unbindCursor(cursor, key))
    const query = compileRequest(asked)
    // Before the search, so that the answer has everything up to it.
    const watermark = await deps.readWatermark()
    const searchDeps = { ...deps, signal: call.signal }
    const found = asked.oldestFirst
      ? await oldestLines(tenantId, { query, limit: count, after: place }, searchDeps)
      : await searchLines(tenantId, { query, limit: count, before: place }, searchDeps)
    const isEmpty = found.lines.length === 0 && found.next === undefined && cursor === ''
    return {
      linesJson: found.lines.map(createToJson({ fields, highlight, query: asked.query })),
      nextCursor: found.next === undefined ? '' : bindCursor(encodePosition(fromPlace(found.next)), key),
      scanned: BigInt(found.scanned),
      skipped: BigInt(found.skipped),
      total: found.total === undefined ? undefined : BigInt(found.total),
      watermark,
      incomplete: [...found.incomplete],
      hints: isEmpty ? hintsFor(parseQuery(asked.query), deps.tail.snapshot(tenantId)) : [],
    }
  }
}

function createToJson({
  fields,
  highlight,
  query,
}: Pick<SearchLogsRequest, 'fields' | 'highlight' | 'query'>): (row: LogRow) => string {
  const write = createLineWriter(fields)
  if (!highlight) return (row) => write(row)
  const find = createHighlighter(parseQuery(query))
  return (row) => write(row, { highlights: find(row) })
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
