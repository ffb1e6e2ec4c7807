import { DAY_MS } from '@millrace/contracts'
import { MINUTE_LEVEL } from '@millrace/rollups'
import { errors } from '../errors.js'
import { isPaged } from '../measures/paged-query.js'
import type { Plan } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import { userHash } from '../query/user-hash.js'
import {
  type CostEstimate,
  estimateCells,
  estimateLogins,
  estimateMarks,
  estimatePage,
  type MarksWorkload,
  type ResultKind,
} from './estimate-cost.js'
import { type Budget, type Overrun, overruns, suggestForCells, suggestForRows } from './suggest.js'
import type { Shares, TableStatistics } from './table-statistics.js'

export interface AdmissionDeps {
  /** Undefined while none have been read; then every query is admitted. */
  readonly statistics: () => TableStatistics | undefined
  readonly budgetOf: (tenantId: number) => Budget
  readonly now: () => number
  /** Called for each query that is rejected. */
  readonly onRefuse?: () => void
}

/** A query over cells that is planned but not read yet. */
export interface PlannedCells {
  readonly tenantId: number
  readonly query: CellQuery
  readonly plan: Plan
  readonly series: number
  /** Distinct groups of the series; null when only raw rows are read, whose groups are not known in advance. */
  readonly groups: number | null
  /** Number of stream partitions; each has its own rows in the 1-minute rollups. */
  readonly streamPartitions: number
}

/** A query over the events of each user, not read yet. What packed days hold for it is known. */
export interface PlannedMarks extends Pick<MarksWorkload, 'tenantId' | 'raw' | 'userHashes' | 'packed' | 'cellsMax'> {
  readonly query: TimeRange & {
    readonly conditions: readonly { readonly event: string | null }[]
    readonly groupBy: CellQuery['groupBy']
    readonly cellsPerGroup: number
  }
}

/** A query over logins that is not read yet. */
export interface PlannedLogins {
  readonly tenantId: number
  readonly query: CellQuery
  /** Number of scans over the rows of the range. */
  readonly scans: number
}

/** A page of the list of events that is not read yet; null for conditions that the request does not have. */
export interface PlannedPage {
  readonly tenantId: number
  readonly query: {
    readonly event: string | null
    readonly userId: string | null
    readonly messageId: string | null
    readonly filters: readonly unknown[]
    readonly fromMs: number | null
    readonly toMs: number | null
    /** The last event of the page before. */
    readonly after: { readonly timestampUs: number } | null
    readonly limit: number
  }
}

/** The estimated cost of a reading, and how to make it cheaper. */
export interface Cost {
  readonly tenantId: number
  readonly estimate: CostEstimate
  suggest(overrun: Overrun): string
}

/** Resolves when the reading is admitted. */
type Admit = (cost: Cost) => Promise<void>

/** The number of distinct values that PostgreSQL assumes for an expression without statistics. */
const UNKNOWN_GROUPS = 200
const EVENT_TYPES = 6

/**
 * Estimates the cost of a query from statistics in memory, and rejects the query if the cost exceeds the budget of its
 * tenant. Reads no table, so a rejected query costs nothing.
 */
export class AdmissionControl {
  readonly #deps: AdmissionDeps
  readonly #parts: number
  readonly #admitTogether: Admit | undefined

  /** `part`: for one of several readings that are admitted together. */
  constructor(deps: AdmissionDeps, part?: { readonly parts: number; readonly admit: Admit }) {
    this.#deps = deps
    this.#parts = part?.parts ?? 1
    this.#admitTogether = part?.admit
  }

  /** Admission control for one of several readings; `admit` decides about all of them together. */
  forPart(parts: number, admit: Admit): AdmissionControl {
    return new AdmissionControl(this.#deps, { parts, admit })
  }

  /** Undefined without statistics. @throws QUERY_TOO_EXPENSIVE with `estimate`, `budget` and `suggestion` */
  async admitCells(planned: PlannedCells): Promise<CostEstimate | undefined> {
    const { tenantId, query, plan } = planned
    return await this.#admit({
      tenantId,
      estimate: this.#estimateCells(planned),
      suggest: (overrun) => suggestForCells(query, overrun, { readsRaw: plan.raw.length > 0 }),
    })
  }

  /** Whether the query would be admitted if each other reading of it cost as much. Does not count as a rejection. */
  wouldAdmitCells(planned: PlannedCells): boolean {
    const estimate = this.#estimateCells(planned)
    if (estimate === undefined) return true
    const total = sumOf(Array.from({ length: this.#parts }, () => estimate))
    return overruns({ estimate: total, budget: this.#deps.budgetOf(planned.tenantId) }).length === 0
  }

  #estimateCells(planned: PlannedCells): CostEstimate | undefined {
    const { tenantId, query, plan, series } = planned
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const raw = [...plan.raw, ...(plan.unflushed.mode === 'read' ? plan.unflushed.ranges : [])]
    return estimateCells(
      {
        tenantId,
        events: query.event === null ? '*' : [query.event],
        rollup: plan.rollup.map(({ level, isPacked, ranges }) => ({
          ranges,
          widthMs: level * 1000,
          parts: level === MINUTE_LEVEL.seconds && !isPacked ? Math.max(1, planned.streamPartitions) : 1,
        })),
        series,
        raw,
        userHashes: userHashesOf(tenantId, query),
        places: placesOf(planned, statistics),
        result: resultOf(query),
      },
      statistics,
      this.#deps.now(),
    )
  }

  /** As admitCells. */
  async admitMarks({ query, ...work }: PlannedMarks): Promise<CostEstimate | undefined> {
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const names = query.conditions.map(({ event }) => event)
    const events = names.includes(null) ? '*' : [...new Set(names as string[])]
    const groups = query.groupBy.length === 0 ? null : groupsOf(query, statistics)
    const { cellsPerGroup } = query
    const estimate = estimateMarks({ ...work, events, groups, cellsPerGroup }, statistics, this.#deps.now())
    return await this.#admit({
      tenantId: work.tenantId,
      estimate,
      suggest: (overrun) => suggestForRows(query, overrun),
    })
  }

  /** As admitCells. */
  async admitLogins({ tenantId, query, scans }: PlannedLogins): Promise<CostEstimate | undefined> {
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const places = query.bucketStarts.length * groupsOf(query, statistics)
    const estimate = estimateLogins({ tenantId, range: query, scans, places }, statistics)
    return await this.#admit({ tenantId, estimate, suggest: (overrun) => suggestForRows(query, overrun) })
  }

  /** As admitCells. */
  async admitPage({ tenantId, query }: PlannedPage): Promise<CostEstimate | undefined> {
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const { event, userId, messageId, filters, fromMs, toMs, after, limit } = query
    const nextMs = after === null ? Number.POSITIVE_INFINITY : after.timestampUs / 1000
    const range = {
      fromMs: Math.max(fromMs ?? statistics.firstDayMs, statistics.firstDayMs),
      toMs: Math.min(toMs ?? nextMs, nextMs, statistics.lastDayMs + DAY_MS),
    }
    const work = {
      tenantId,
      events: event === null ? ('*' as const) : [event],
      userHashes: userId === null ? null : [userHash(userId, tenantId)],
      range,
      isBounded: fromMs !== null,
      // How few events match a filter is not known.
      isOfOne: messageId !== null || filters.length > 0,
      limit: limit + 1,
    }
    return await this.#admit({
      tenantId,
      estimate: estimatePage(work, statistics, this.#deps.now()),
      suggest: (overrun) => suggestForRows({ ...range, groupBy: [] }, overrun),
    })
  }

  async #admit({ estimate, ...cost }: Omit<Cost, 'estimate'> & { estimate: CostEstimate | undefined }) {
    if (estimate === undefined) return undefined
    if (this.#admitTogether === undefined) this.admitAll([{ estimate, ...cost }])
    else await this.#admitTogether({ estimate, ...cost })
    return estimate
  }

  /**
   * Admits several readings of one tenant, or none. `remedy` is a hint how to ask for the first one alone. @throws
   * QUERY_TOO_EXPENSIVE
   */
  admitAll(costs: readonly Cost[], remedy?: string): void {
    const [first] = costs
    if (first === undefined) return
    const estimate = sumOf(costs.map((cost) => cost.estimate))
    const budget = this.#deps.budgetOf(first.tenantId)
    const over = overruns({ estimate, budget })
    if (over.length === 0) return
    this.#deps.onRefuse?.()
    const isFirstAffordable = overruns({ estimate: first.estimate, budget }).length === 0
    const less = remedy !== undefined && isFirstAffordable ? [remedy] : []
    const suggestion = [...less, first.suggest({ estimate, budget })].join('; or ')
    const excess = over.map((part) => `${estimate[part]} ${part}, the budget is ${budget[part]}`).join('; ')
    throw errors.QUERY_TOO_EXPENSIVE({
      message: `the query would need about ${excess}: ${suggestion}`,
      details: { estimate, budget, suggestion },
    })
  }
}

function sumOf(estimates: readonly CostEstimate[]): CostEstimate {
  const total = { rows: 0, partitions: 0, bytes: 0 }
  for (const { rows, partitions, bytes } of estimates) {
    total.rows += rows
    total.partitions += partitions
    total.bytes += bytes
  }
  return total
}

function userHashesOf(tenantId: number, { filters }: CellQuery): bigint[] | null {
  for (const filter of filters)
    if (filter.op === 'in' && filter.path.name === 'user_id')
      return filter.texts.map((text) => userHash(text, tenantId))
  return null
}

function resultOf({ metric: { agg } }: CellQuery): ResultKind {
  if (agg === 'uniques') return 'uniques'
  return agg === 'p50' || agg === 'p95' || agg === 'p99' ? 'quantiles' : 'number'
}

/** When only raw rows are read, PostgreSQL returns no more than a page. */
function placesOf({ query, groups }: PlannedCells, statistics: TableStatistics): number {
  const places = query.bucketStarts.length * (groups ?? groupsOf(query, statistics))
  return groups === null && isPaged(query) ? Math.min(places, query.page.limit) : places
}

function groupsOf({ groupBy }: Pick<CellQuery, 'groupBy'>, statistics: TableStatistics): number {
  const distinct = { event: statistics.events, user_id: statistics.users, anonymous_id: statistics.users } as const
  return groupBy.reduce((product, { name }) => {
    if (name === 'type') return product * EVENT_TYPES
    if (name === 'message_id') return product * Number.MAX_SAFE_INTEGER
    const shares: Shares<unknown> | undefined = distinct[name as keyof typeof distinct]
    return product * (shares?.distinct ?? UNKNOWN_GROUPS)
  }, 1)
}
