import type { IndexBloat, PageCounts, TableBloat } from '@millrace/database'

export interface DatabaseWatchDeps {
  readonly readPageCounts: () => Promise<PageCounts>
  readonly readTableBloat: () => Promise<readonly TableBloat[]>
  readonly readIndexBloat: () => Promise<readonly IndexBloat[]>
  readonly metrics: DatabaseWatchMetrics
}

export interface DatabaseWatchMetrics {
  noteHitRatio(ratio: number): void
  /** Replaces the earlier values of this kind. */
  noteDeadBytes(kind: 'table' | 'index', bytes: ReadonlyMap<string, number>): void
}

/** Dead space is read in every tenth step: it changes slowly, and reading it looks at the statistics of every partition. */
const BLOAT_EVERY = 10
const WORST_MAX = 5
/** Less dead space than this is not reported. */
const DEAD_BYTES_MIN = 2 ** 20

/** Exports PostgreSQL's statistics as metrics. A step costs the server a few milliseconds, every tenth step about ten. */
export class DatabaseWatch {
  readonly #deps: DatabaseWatchDeps
  #before: PageCounts | undefined
  #steps = 0

  constructor(deps: DatabaseWatchDeps) {
    this.#deps = deps
  }

  /** @throws databaseErrors */
  async step(): Promise<void> {
    await this.#noteHitRatio()
    if (this.#steps++ % BLOAT_EVERY === 0) await this.#noteBloat()
  }

  /** Covers the time since the last step; a ratio since the server's start would hide a recent drop. */
  async #noteHitRatio(): Promise<void> {
    const counts = await this.#deps.readPageCounts()
    const hits = counts.hits - (this.#before?.hits ?? 0)
    const reads = counts.reads - (this.#before?.reads ?? 0)
    this.#before = counts
    // Counts that went down mean that the statistics were reset.
    if (hits >= 0 && reads >= 0 && hits + reads > 0) this.#deps.metrics.noteHitRatio(hits / (hits + reads))
  }

  async #noteBloat(): Promise<void> {
    const { readTableBloat, readIndexBloat, metrics } = this.#deps
    const worst = (all: readonly (readonly [string, number])[]) =>
      new Map(all.filter(([, bytes]) => bytes >= DEAD_BYTES_MIN).slice(0, WORST_MAX))
    const tables = await readTableBloat()
    metrics.noteDeadBytes('table', worst(tables.map(({ table, dead_bytes }) => [table, dead_bytes])))
    const indexes = await readIndexBloat()
    metrics.noteDeadBytes('index', worst(indexes.map(({ index, dead_bytes }) => [index, dead_bytes])))
  }
}
