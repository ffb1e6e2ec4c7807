import { setImmediate } from 'node:timers/promises'
import { openBatch } from '../batch/log-batch.js'
import type { MemoryTail, TailSnapshot } from '../tail/memory-tail.js'
import type { CompiledQuery } from './compiled-query.js'
import { findMatches } from './find-matches.js'
import { type LogRows, rowsOfBatch } from './log-rows.js'
import { type LogPage, NewestLines, type PageRequest } from './newest-lines.js'
import { ChunkSearch, type FoundChunk, type ReadDeps } from './read-chunks.js'

export interface SearchDeps extends ReadDeps {
  readonly tail: Pick<MemoryTail, 'snapshot'>
  /** Lines that one page may compare before it answers with what it has and a cursor. */
  readonly scanMax?: number
}

const SCAN_LINES_MAX = 5_000_000

/**
 * Finds a page of lines of a tenant: in the memory tail, and in the chunks from the newest to the oldest until no older chunk can have a line of the page.
 * The tail is read first; a line that was written to a chunk meanwhile is skipped there, so that each line is found exactly once.
 */
export async function searchLines(tenantId: number, request: PageRequest, deps: SearchDeps): Promise<LogPage> {
  const { query, before } = request
  const snapshot = deps.tail.snapshot(tenantId)
  const page = new NewestLines(request)
  await eachBatch(snapshot, query, (rows) => page.scan(rows))
  const search = new ChunkSearch(tenantId, query, deps)
  const scanMax = deps.scanMax ?? SCAN_LINES_MAX
  const newestMs = before?.timeMs ?? Number.MAX_SAFE_INTEGER
  for (;;) {
    const oldestMs = page.oldestMs
    const chunks = await search.read({ oldestMs: oldestMs ?? 0, newestMs })
    if (chunks.length === 0) return page.finish(await search.countSkipped(), oldestMs === undefined)
    await eachChunk(chunks, snapshot, (rows, isWanted) => page.scan(rows, isWanted))
    // The chunks that follow are not newer than this one, so a line that is newer is complete.
    const last = chunks.at(-1) as FoundChunk
    if (page.scanned >= scanMax && page.canCutAt(last.lastMs)) return page.cutAt(last.lastMs)
  }
}

/** What a scan has compared. */
export interface ScanResult {
  readonly scanned: number
  readonly skipped: number
  /** Lines up to this time were not compared, because the scan reached `scanMax`; undefined when everything was. */
  readonly cutAtMs: number | undefined
}

/**
 * Shows all matching lines of a tenant to `visit`, each exactly once: the lines of one batch or chunk at a time, in no particular order within it, chunks
 * from the newest to the oldest. The rows are valid during the call only.
 */
export async function scanLines(
  tenantId: number,
  { query, visit }: { readonly query: CompiledQuery; readonly visit: (rows: LogRows, matching: number[]) => void },
  deps: SearchDeps,
): Promise<ScanResult> {
  const snapshot = deps.tail.snapshot(tenantId)
  let scanned = 0
  const show = (rows: LogRows, isWanted?: (index: number) => boolean) => {
    scanned += rows.count
    const matching = findMatches(rows, query, isWanted)
    if (matching.length > 0) visit(rows, matching)
  }
  await eachBatch(snapshot, query, show)
  const search = new ChunkSearch(tenantId, query, deps)
  const scanMax = deps.scanMax ?? SCAN_LINES_MAX
  for (;;) {
    const chunks = await search.read({ oldestMs: 0, newestMs: Number.MAX_SAFE_INTEGER })
    if (chunks.length === 0) return { scanned, skipped: await search.countSkipped(), cutAtMs: undefined }
    await eachChunk(chunks, snapshot, show)
    if (scanned >= scanMax) return { scanned, skipped: 0, cutAtMs: chunks.at(-1)?.lastMs }
  }
}

async function eachBatch(
  { batches }: TailSnapshot,
  query: CompiledQuery,
  visit: (rows: LogRows) => void,
): Promise<void> {
  for (const batch of batches) {
    if (query.services.length > 0 && !query.services.includes(batch.service)) continue
    visit(rowsOfBatch(openBatch(batch.bytes), batch))
    await setImmediate()
  }
}

async function eachChunk(
  chunks: readonly FoundChunk[],
  snapshot: TailSnapshot,
  visit: (rows: LogRows, isWanted: (index: number) => boolean) => void,
): Promise<void> {
  for (const chunk of chunks) {
    const rows = chunk.open()
    visit(rows, (index) => !isInTail(rows, index, snapshot))
    await setImmediate()
  }
}

/** Whether a line of a chunk was shown as a line of the tail already. */
function isInTail({ places }: LogRows, index: number, { firstOrdinals }: TailSnapshot): boolean {
  const first = firstOrdinals.get(places.partition(index))
  return first !== undefined && places.ordinal(index) >= first
}
