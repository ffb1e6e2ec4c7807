import type { SeriesChoice } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import type { FieldPath } from '../query/field-path.js'
import { groupText } from '../query/group-text.js'
import type { SeriesRow } from './rollup-statements.js'

/** The group of each series that matches the filters of the query, by the id of the series. */
export function matchSeries(
  rows: readonly SeriesRow[],
  series: SeriesChoice,
  query: CellQuery,
): Map<number, (string | null)[]> {
  const groups = new Map<number, (string | null)[]>()
  for (const row of rows) {
    const fieldOf = (path: FieldPath): string | null => {
      if (path.name === 'event') return series.event === '*' ? query.event : row.event
      return row.dimension_values[series.dimensions.indexOf(path.name)] ?? null
    }
    if (query.filters.every((filter) => isMatch(filter, fieldOf(filter.path))))
      groups.set(
        row.id,
        query.groupBy.map((path) => groupText(path, fieldOf(path))),
      )
  }
  return groups
}

function isMatch(filter: CellQuery['filters'][number], text: string | null): boolean {
  if (filter.op === 'in') return text !== null && filter.texts.includes(text)
  if (filter.op === 'not_in') return text === null || !filter.texts.includes(text)
  throw new TypeError(`the filter ${filter.op} cannot be answered from series`)
}
