import type { CellQuery } from './cell-query.js'
import type { Filter } from './filter.js'

/**
 * A text that is equal for two requests exactly when they are the same query. `query` is plain data with its properties
 * always in the same order.
 */
export function canonicalKey(tenantId: number, kind: string, query: unknown): string {
  return JSON.stringify([tenantId, kind, query])
}

/** Filters in a fixed order: their order in the request does not matter. */
export function canonicalFilters(filters: readonly Filter[]): readonly string[] {
  return filters.map(({ path, ...rest }) => JSON.stringify([path.name, sortTexts(rest)])).sort()
}

type Condition = Omit<Filter, 'path'>

function sortTexts(rest: Condition): object {
  if (!('texts' in rest)) return rest
  return { ...rest, texts: [...new Set(rest.texts as readonly string[])].sort() }
}

/**
 * The period that a query is compared with, as plain data; null without a comparison. It is part of the key because it
 * depends on the time zone even when there are no buckets (whole months and days of which calendar).
 */
export function canonicalEarlier(earlier: { readonly fromMs: number; readonly toMs: number } | null): unknown {
  return earlier && [earlier.fromMs, earlier.toMs]
}

/** A query over cells as plain data. The starts of the buckets follow from range, interval, time zone and first
 * day of the week. */
export function canonicalCells(query: CellQuery): readonly unknown[] {
  const { event, metric, filters, groupBy, fromMs, toMs, interval, zone, weekStart } = query
  return [
    event,
    metric.agg,
    metric.property?.name ?? null,
    canonicalFilters(filters),
    groupBy.map(({ name }) => name),
    fromMs,
    toMs,
    interval,
    interval === null ? null : zone.name,
    interval === '1w' ? (weekStart ?? null) : null,
  ]
}
