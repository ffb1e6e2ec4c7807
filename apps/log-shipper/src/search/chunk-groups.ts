import type { Database, Transaction } from '@millrace/database'
import type { CompiledQuery } from './compiled-query.js'
import { ChunkFinder } from './find-chunks.js'
import { columnsToMatch, openConditions } from './find-matches.js'
import { type ChunkColumn, loadColumns, StoredChunk } from './stored-chunk.js'

export interface ReadDeps {
  readonly database: Pick<Database, 'withTenant'>
  readonly signal?: AbortSignal | undefined
}

/** Heads that the first statement reads, and the most that one reads. */
const HEADS_FIRST = 32
const HEADS_MAX = 1024
/** Chunks that the first statement loads, and the most that one loads: about 2 MB of texts. */
const LOADED_FIRST = 2
const LOADED_MAX = 16
/** Statements that load chunks at the same time. */
const LOADS_AHEAD = 2

export interface GroupOptions {
  /** Columns to load of each chunk in addition to those that the query reads. */
  readonly columns: readonly ChunkColumn[]
  /** Only chunks whose oldest line is not newer, ms. */
  readonly newestMs: number
  /** Chunks whose newest line is older need not be read, ms; asked again and again. */
  readonly oldestMs: () => number | undefined
}

/**
 * Reads the chunks of a search from the newest to the oldest, with the columns that its conditions need, in groups that grow from 2 to 16. While a group is looked
 * at, the next two are loaded.
 */
export class ChunkGroups {
  readonly #tenantId: number
  readonly #query: CompiledQuery
  readonly #deps: ReadDeps
  readonly #finder: ChunkFinder
  /** Lines of chunks that were left out because of their filters. */
  skipped = 0
  /** Whether chunks were left out because they are too old. */
  hasLeftOut = false

  constructor(tenantId: number, query: CompiledQuery, deps: ReadDeps) {
    this.#tenantId = tenantId
    this.#query = query
    this.#deps = deps
    this.#finder = new ChunkFinder(tenantId, query)
  }

  async *read(options: GroupOptions): AsyncGenerator<readonly StoredChunk[]> {
    const loading: Promise<readonly StoredChunk[]>[] = []
    for await (const chunks of this.#groups(options)) {
      const load = this.load(chunks, (chunk) => [
        ...columnsToMatch(this.#query, openConditions(this.#query, chunk.place)),
        ...options.columns,
      ]).then(() => chunks)
      // Its error is thrown when it is awaited, which may never happen.
      load.catch(() => undefined)
      loading.push(load)
      if (loading.length >= LOADS_AHEAD) yield (await loading.shift()) as readonly StoredChunk[]
    }
    for (const load of loading) yield await load
  }

  /** Loads columns of chunks that are not loaded yet. */
  async load(chunks: readonly StoredChunk[], columnsOf: (chunk: StoredChunk) => readonly ChunkColumn[]): Promise<void> {
    const columns = [...new Set(chunks.flatMap(columnsOf))]
    if (chunks.every((chunk) => chunk.missing(columns).length === 0)) return
    await this.#read((tx) => loadColumns(tx, { tenantId: this.#tenantId, chunks }, columns))
  }

  /** Lines of chunks of the time range that were left out because of their heads. */
  async countSkipped(): Promise<number> {
    return await this.#read((tx) => this.#finder.countSkipped(tx))
  }

  async *#groups({ newestMs, oldestMs }: GroupOptions): AsyncGenerator<readonly StoredChunk[]> {
    let size = LOADED_FIRST
    for (let limit = HEADS_FIRST; ; limit = Math.min(limit * 4, HEADS_MAX)) {
      const from = oldestMs()
      if (from !== undefined) this.hasLeftOut = true
      const { chunks, skipped, isLast } = await this.#read((tx) =>
        this.#finder.next(tx, { oldestMs: from ?? 0, newestMs, limit }),
      )
      this.skipped += skipped
      for (let start = 0; start < chunks.length; ) {
        const group = chunks.slice(start, start + size)
        start += size
        size = Math.min(size * 2, LOADED_MAX)
        const oldest = oldestMs()
        const wanted = oldest === undefined ? group : group.filter(({ lastMs }) => lastMs >= oldest)
        if (wanted.length < group.length) this.hasLeftOut = true
        if (wanted.length === 0) return
        yield wanted.map((place) => new StoredChunk(place))
      }
      if (isLast) return
    }
  }

  #read<T>(fn: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#deps.database.withTenant(this.#tenantId, fn, { signal: this.#deps.signal })
  }
}
