import { LEVEL_SECONDS, type LevelSeconds, WIDEST_WINDOW_S } from '@millrace/rollups'
import type { Catalog } from '../plan/catalog.js'
import type { SeriesChoice } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import type { SeriesRow } from './rollup-statements.js'

const CATALOGS_MAX = 500
const CHOICES_MAX = 500
/** A query with more dirty windows or series takes so long that saving a round trip does not matter. */
const WINDOWS_MAX = 1000
const SERIES_MAX = 500

/**
 * Remembers the catalog that was last read for each tenant, so that a query can guess what it will read. A guess
 * decides nothing: it only tells which statements to send in the same round trip as those of the catalog itself. Takes
 * at most about 10 MB.
 */
export class CatalogMemory {
  readonly #catalogs = new Map<string, Catalog>()
  readonly #series = new Map<string, readonly SeriesRow[]>()

  /** The catalog as this query would read it if nothing had changed. */
  catalogFor(tenantId: number, query: CellQuery): Catalog | undefined {
    const catalog = this.#catalogs.get(catalogKey(tenantId, query))
    if (catalog === undefined || catalog.dirty === null) return undefined
    const dirty: Partial<Record<LevelSeconds, number[]>> = {}
    for (const level of LEVEL_SECONDS) {
      const starts =
        catalog.dirty[level]?.filter((start) => start > query.fromMs - WIDEST_WINDOW_S * 1000 && start < query.toMs) ??
        []
      if (starts.length > 0) dirty[level] = starts
    }
    return { ...catalog, dirty }
  }

  seriesOf(tenantId: number, choice: SeriesChoice): readonly SeriesRow[] | undefined {
    return this.#series.get(seriesKey(tenantId, choice))
  }

  noteCatalog(tenantId: number, query: CellQuery, catalog: Catalog): void {
    const windows = catalog.dirty === null ? Number.POSITIVE_INFINITY : countOf(catalog.dirty)
    put(this.#catalogs, catalogKey(tenantId, query), windows > WINDOWS_MAX ? undefined : catalog, CATALOGS_MAX)
  }

  noteSeries(tenantId: number, choice: SeriesChoice, rows: readonly SeriesRow[]): void {
    put(this.#series, seriesKey(tenantId, choice), rows.length > SERIES_MAX ? undefined : rows, CHOICES_MAX)
  }
}

function countOf(dirty: NonNullable<Catalog['dirty']>): number {
  return LEVEL_SECONDS.reduce((sum, level) => sum + (dirty[level]?.length ?? 0), 0)
}

/** A catalog holds the definitions of one property. */
function catalogKey(tenantId: number, { metric }: CellQuery): string {
  return `${tenantId} ${metric.property?.name ?? ''}`
}

function seriesKey(tenantId: number, { event, dimensions, property }: SeriesChoice): string {
  return JSON.stringify([tenantId, event, dimensions, property])
}

/** Removes the least recently written entry when there are too many. */
function put<Value>(map: Map<string, Value>, key: string, value: Value | undefined, max: number): void {
  map.delete(key)
  if (value === undefined) return
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > max && oldest !== undefined) map.delete(oldest)
}
