import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { isRollupPath } from '@millrace/rollups'
import type { CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import type { CostEstimate } from './estimate-cost.js'

/** The maximum cost of one query of a tenant. */
export type Budget = CostEstimate

export interface Overrun {
  readonly estimate: CostEstimate
  readonly budget: Budget
}

/** The parts of the cost that exceed the budget. */
export function overruns({ estimate, budget }: Overrun): (keyof CostEstimate)[] {
  return (['rows', 'partitions', 'bytes'] as const).filter((part) => estimate[part] > budget[part])
}

/** How to change the query so that it fits into the budget: sentences for the caller, the most useful first. */
export function suggestForCells(query: CellQuery, overrun: Overrun, { readsRaw }: { readsRaw: boolean }): string {
  const over = overruns(overrun)
  const suggestions: string[] = []
  const rollup = readsRaw ? missingRollup(query) : undefined
  if (rollup !== undefined && over.some((part) => part !== 'bytes'))
    suggestions.push(`add the rollup ${rollup} to ROLLUPS of the ingest-gateway`)
  if (over.includes('bytes')) suggestions.push(...smallerAnswer(query, overrun))
  suggestions.push(shorterRange(query, overrun))
  return suggestions.join('; or ')
}

/** As suggestForCells, for queries that read row by row: only fewer rows or fewer groups help. */
export function suggestForRows(
  { groupBy, ...range }: TimeRange & Pick<CellQuery, 'groupBy'>,
  overrun: Overrun,
): string {
  const fewer = overruns(overrun).includes('bytes') ? fewerGroups(groupBy) : []
  return [...fewer, shorterRange(range, overrun)].join('; or ')
}

const COARSER = { '1m': '5m', '5m': '1h', '1h': '1d', '1d': '1w', '1w': '1mo', '1mo': undefined } as const
const LENGTH_MS = {
  '1m': MINUTE_MS,
  '5m': 300_000,
  '1h': HOUR_MS,
  '1d': DAY_MS,
  '1w': 7 * DAY_MS,
  '1mo': 2_592_000_000,
} as const

function smallerAnswer({ interval, bucketStarts, groupBy }: CellQuery, { estimate, budget }: Overrun): string[] {
  const suggestions: string[] = []
  if (interval !== null && bucketStarts.length > 1) {
    let coarser = COARSER[interval]
    while (coarser !== undefined && estimate.bytes * (LENGTH_MS[interval] / LENGTH_MS[coarser]) > budget.bytes)
      coarser = COARSER[coarser]
    if (coarser !== undefined) suggestions.push(`use the interval ${coarser}`)
  }
  return [...suggestions, ...fewerGroups(groupBy)]
}

function fewerGroups(groupBy: CellQuery['groupBy']): string[] {
  const last = groupBy.at(-1)
  return last === undefined ? [] : [`remove ${last.name} from group_by, or filter by it`]
}

const DIMENSIONS_MAX = 3

/**
 * The rollup definition, in the form of the setting ROLLUPS, that could answer the query; undefined when none could.
 */
function missingRollup({ event, metric, filters, groupBy }: CellQuery): string | undefined {
  if (filters.some(({ op }) => op !== 'in' && op !== 'not_in')) return undefined
  const fields = new Set([...groupBy, ...filters.map(({ path }) => path)].map(({ name }) => name))
  const property = metric.property?.name ?? null
  if (event === null && fields.has('event')) return undefined
  fields.delete('event')
  if (fields.size === 0 && property === null) return undefined
  if (fields.size > DIMENSIONS_MAX || ![...fields, property ?? 'properties.x'].every(isRollupPath)) return undefined
  return JSON.stringify({ event: event ?? '*', dimensions: [...fields], property })
}

/** The days at both ends of a range count as whole days, and rows are not spread evenly. */
const MARGIN = 0.8

function shorterRange({ fromMs, toMs }: TimeRange, overrun: Overrun): string {
  const share = Math.min(...overruns(overrun).map((part) => overrun.budget[part] / overrun.estimate[part]))
  const affordableMs = (toMs - fromMs) * share * MARGIN
  const unit = [DAY_MS, HOUR_MS, MINUTE_MS].find((candidate) => affordableMs >= candidate)
  if (unit === undefined) return 'filter by user_id, which an index serves'
  const from = Math.ceil((toMs - affordableMs) / unit) * unit
  return `start the range at ${new Date(from).toISOString()}`
}
