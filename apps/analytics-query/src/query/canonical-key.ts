import type { CellQuery } from './cell-query.js'
import type { Filter } from './filter.js'

/** A text that two requests have in common exactly when they ask the same. `question` is plain data whose properties are always in one order. */
export function canonicalKey(tenantId: number, kind: string, question: unknown): string {
  return JSON.stringify([tenantId, kind, question])
}

/** Filters without their order: all of them must hold. */
export function canonicalFilters(filters: readonly Filter[]): readonly string[] {
  return filters.map(({ path, ...rest }) => JSON.stringify([path.name, sortTexts(rest)])).sort()
}

type Condition = Omit<Filter, 'path'>

function sortTexts(rest: Condition): object {
  if (!('texts' in rest)) return rest
  return { ...rest, texts: [...new Set(rest.texts as readonly string[])].sort() }
}

/**
 * The period that a query is compared with, as plain data; null without one. It follows from more than the query says: whole months and days of which
 * calendar. With an interval the zone and the range say which of its buckets stands for which.
 */
export function canonicalEarlier(earlier: { readonly fromMs: number; readonly toMs: number } | null): unknown {
  return earlier && [earlier.fromMs, earlier.toMs]
}

/** A query over cells as plain data. Where the buckets begin follows from range, interval and zone. */
export function canonicalCells(query: CellQuery): readonly unknown[] {
  const { event, metric, filters, groupBy, fromMs, toMs, interval, zone } = query
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
  ]
}
