import type { Database } from '@millrace/database'
import { openStoredChunk } from '../store/build-chunks.js'
import type { CompiledQuery } from './compiled-query.js'
import { type LogRows, rowsOfChunk } from './log-rows.js'

export interface ReadDeps {
  readonly database: Pick<Database, 'withTenant'>
  readonly signal?: AbortSignal | undefined
}

/** A chunk that may have matches. */
export interface FoundChunk {
  readonly chunkId: bigint
  readonly firstMs: number
  readonly lastMs: number
  readonly lines: number
  open(): LogRows
}

/** Chunks that one statement reads: about 4 MB. */
const CHUNKS_PER_READ = 8

/** Reads the chunks of a search by the time of their newest line, from the newest to the oldest. */
export class ChunkSearch {
  readonly #tenantId: number
  readonly #query: CompiledQuery
  readonly #deps: ReadDeps
  #after: Pick<FoundChunk, 'lastMs' | 'chunkId'> | undefined

  constructor(tenantId: number, query: CompiledQuery, deps: ReadDeps) {
    this.#tenantId = tenantId
    this.#query = query
    this.#deps = deps
  }

  /** The next chunks that have lines from `oldestMs` to `newestMs`, both included; empty after the last one. */
  async read({ oldestMs, newestMs }: { oldestMs: number; newestMs: number }): Promise<FoundChunk[]> {
    const { fromMs, toMs, levels, services } = this.#query
    const { rows } = await this.#deps.database.withTenant(
      this.#tenantId,
      (tx) =>
        tx.query<{ chunk_id: bigint; first_ms: bigint; last_ms: bigint; lines: number; data: Buffer }>({
          name: 'log-chunks',
          text: `select chunk_id, first_ms, last_ms, lines, data from log_chunks
            where tenant_id = $1 and last_ms >= $2 and first_ms < $3 and levels & $4::smallint <> 0 and (cardinality($5::text[]) = 0 or services && $5::text[])
              and (last_ms, chunk_id) < ($6, $7) and first_ms <= $8
            order by last_ms desc, chunk_id desc limit ${CHUNKS_PER_READ}`,
          values: [
            this.#tenantId,
            Math.max(fromMs, oldestMs),
            toMs,
            levels,
            [...services],
            this.#after?.lastMs ?? Number.MAX_SAFE_INTEGER,
            this.#after?.chunkId ?? 0,
            newestMs,
          ],
        }),
      { signal: this.#deps.signal },
    )
    const chunks = rows.map(({ chunk_id, first_ms, last_ms, lines, data }) => ({
      chunkId: chunk_id,
      firstMs: Number(first_ms),
      lastMs: Number(last_ms),
      lines,
      open: () => rowsOfChunk(openStoredChunk(data)),
    }))
    this.#after = chunks.at(-1) ?? this.#after
    return chunks
  }

  /** Lines of the tenant in chunks of the time range whose heads show that they have no match. */
  async countSkipped(): Promise<number> {
    const { fromMs, toMs, levels, services } = this.#query
    const { rows } = await this.#deps.database.withTenant(
      this.#tenantId,
      (tx) =>
        tx.query<{ lines: bigint }>({
          name: 'log-chunks-skipped',
          text: `select coalesce(sum(lines), 0)::bigint as lines from log_chunks where tenant_id = $1 and last_ms >= $2 and first_ms < $3
            and not (levels & $4::smallint <> 0 and (cardinality($5::text[]) = 0 or services && $5::text[]))`,
          values: [this.#tenantId, fromMs, toMs, levels, [...services]],
        }),
      { signal: this.#deps.signal },
    )
    return Number(rows[0]?.lines ?? 0n)
  }
}
