import { coreErrors, type GetLogContextRequest, type GetLogContextResponse } from '@millrace/contracts'
import { type CallContext, tenantOf } from '@millrace/service'
import { createLineWriter, parseLineId } from '../query/line-fields.js'
import { ALL_LEVELS } from '../query/match-term.js'
import { type OldestDeps, oldestLines } from '../query/oldest-lines.js'
import type { CompiledQuery, LogRow } from '../search/compiled-query.js'
import { completeLine } from '../search/log-rows.js'
import { scanLines, searchLines } from '../search/search-lines.js'

const LINES_MAX = 100

/** Finds the lines of the same service and host around a line, in their exact order. */
export function createGetLogContext(deps: OldestDeps) {
  return async function getLogContext(
    { id, before, after }: GetLogContextRequest,
    call: Pick<CallContext, 'tenant' | 'signal'>,
  ): Promise<GetLogContextResponse> {
    const tenantId = tenantOf(call)
    for (const [name, value] of Object.entries({ before, after }))
      if (value > LINES_MAX)
        throw coreErrors.INVALID_REQUEST({
          message: `${name} must be from 0 to ${LINES_MAX}`,
          details: { field: name },
        })
    const searchDeps = { ...deps, signal: call.signal }
    const line = await findLine(tenantId, id, searchDeps)
    if (line === undefined)
      throw coreErrors.NOT_FOUND({ message: `there is no log line with the id ${id.slice(0, 64)}` })
    const query: CompiledQuery = {
      fromMs: 0,
      toMs: Number.MAX_SAFE_INTEGER,
      levels: ALL_LEVELS,
      services: [line.service],
      needs: { kind: 'equals', column: 'host', value: line.host },
      matches: undefined,
    }
    const earlier =
      before === 0 ? undefined : await searchLines(tenantId, { query, limit: before, before: line }, searchDeps)
    const later =
      after === 0 ? undefined : await oldestLines(tenantId, { query, limit: after, after: line }, searchDeps)
    const olderLines = [...(earlier?.lines ?? [])].reverse()
    const lines: readonly LogRow[] = [...olderLines, line, ...(later?.lines ?? [])]
    const write = createLineWriter([])
    // A page with a cursor that is not full has reached the bound of a search.
    const isCut = (found: { lines: readonly unknown[]; next: unknown } | undefined, wanted: number) =>
      found?.next !== undefined && found.lines.length < wanted
    return {
      linesJson: lines.map((row) => write(row)),
      index: olderLines.length,
      incomplete: [
        ...new Set([...(earlier?.incomplete ?? []), ...(later?.incomplete ?? [])]),
        ...(isCut(earlier, before) ? ['more lines before this one lie beyond the lines that one search compares'] : []),
        ...(isCut(later, after) ? ['more lines after this one lie beyond the lines that one search compares'] : []),
      ],
    }
  }
}

async function findLine(tenantId: number, id: string, deps: OldestDeps): Promise<LogRow | undefined> {
  const place = parseLineId(id)
  if (place === undefined) return undefined
  let line: LogRow | undefined
  const query: CompiledQuery = {
    fromMs: place.timeMs,
    toMs: place.timeMs + 1,
    levels: ALL_LEVELS,
    services: [],
    needs: undefined,
    matches: (row) => row.ordinal === place.ordinal && row.partition === place.partition,
  }
  await scanLines(
    tenantId,
    {
      query,
      visit: (rows, matching) => {
        line = completeLine(rows.row(matching[0] as number))
      },
    },
    deps,
  )
  return line
}
