import { levelIndex } from '../records/severity.js'
import type { CompiledQuery } from './compiled-query.js'
import type { LogRows } from './log-rows.js'
import { meets } from './match-text.js'

/** The indexes of the lines that match a query, ascending. `isWanted` says which lines belong to the search at all. */
export function findMatches(
  rows: LogRows,
  query: CompiledQuery,
  isWanted: (index: number) => boolean = () => true,
): number[] {
  const { ms } = rows.columns('time')
  const severity = rows.columns('severity')
  const found: number[] = []
  for (let index = 0; index < rows.count; index++) {
    const timeMs = ms[index] as number
    if (timeMs < query.fromMs || timeMs >= query.toMs) continue
    if (((query.levels >> levelIndex(severity.value(index) ?? 0)) & 1) === 0) continue
    if (query.services.length > 0 && !query.services.includes(rows.places.service(index))) continue
    if (!isWanted(index)) continue
    const row = rows.row(index)
    if (query.needs !== undefined && !meets(row, query.needs)) continue
    if (query.matches !== undefined && !query.matches(row)) continue
    found.push(index)
  }
  return found
}
