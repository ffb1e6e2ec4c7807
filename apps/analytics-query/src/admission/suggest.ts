import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import type { CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import type { CostEstimate } from './estimate-cost.js'

/** What a tenant's query may cost. */
export type Budget = CostEstimate

export interface Overrun {
  readonly estimate: CostEstimate
  readonly budget: Budget
}

/** The parts of a cost that are over the budget, in the order of the budget. */
export function overruns({ estimate, budget }: Overrun): (keyof CostEstimate)[] {
  return (['rows', 'partitions', 'bytes'] as const).filter((part) => estimate[part] > budget[part])
}

/** How to ask so that it is affordable, most useful first, as sentences that can be followed as they are. */
export function suggestForCells(query: CellQuery, overrun: Overrun, { readsRaw }: { readsRaw: boolean }): string {
  const over = overruns(overrun)
  const suggestions: string[] = []
  const rollup = readsRaw ? missingRollup(query) : undefined
  if (rollup !== undefined && over.some((part) => part !== 'bytes'))
    suggestions.push(`keep the rollup ${rollup} by adding it to ROLLUPS of the ingest-gateway`)
  if (over.includes('bytes')) suggestions.push(...smallerAnswer(query, overrun))
  suggestions.push(shorterRange(query, overrun))
  return suggestions.join('; or ')
}

/** For queries that hold rows: only fewer of them help, or of groups. */
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
    if (coarser !== undefined) suggestions.push(`take the interval ${coarser}`)
  }
  return [...suggestions, ...fewerGroups(groupBy)]
}

function fewerGroups(groupBy: CellQuery['groupBy']): string[] {
  const last = groupBy.at(-1)
  return last === undefined ? [] : [`leave ${last.name} out of group_by, or filter by it`]
}

const PATH = /^(properties|context)(\.[^.]{1,100}){1,5}$/
const DIMENSIONS_MAX = 3

/** The definition, as it stands in the setting ROLLUPS, that would answer the query; undefined where none could. */
function missingRollup({ event, metric, filters, groupBy }: CellQuery): string | undefined {
  if (filters.some(({ op }) => op !== 'in' && op !== 'not_in')) return undefined
  const fields = new Set([...groupBy, ...filters.map(({ path }) => path)].map(({ name }) => name))
  const property = metric.property?.name ?? null
  if (event === null && fields.has('event')) return undefined
  fields.delete('event')
  if (fields.size === 0 && property === null) return undefined
  if (fields.size > DIMENSIONS_MAX || ![...fields, property ?? 'properties.x'].every((path) => PATH.test(path)))
    return undefined
  return JSON.stringify({ event: event ?? '*', dimensions: [...fields], property })
}

/** Days at the range's ends count whole, and rows are not spread evenly. */
const MARGIN = 0.8

function shorterRange({ fromMs, toMs }: TimeRange, overrun: Overrun): string {
  const share = Math.min(...overruns(overrun).map((part) => overrun.budget[part] / overrun.estimate[part]))
  const affordableMs = (toMs - fromMs) * share * MARGIN
  const unit = [DAY_MS, HOUR_MS, MINUTE_MS].find((candidate) => affordableMs >= candidate)
  if (unit === undefined) return 'filter by user_id, which an index answers'
  const from = Math.ceil((toMs - affordableMs) / unit) * unit
  return `shorten the range to begin at ${new Date(from).toISOString()}`
}
