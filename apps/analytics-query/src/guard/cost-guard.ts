import { errors } from '../errors.js'
import { userHash } from '../execute/raw-statement.js'
import type { Plan, TimeRange } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import type { Demand } from '../query/demand.js'
import {
  type CostEstimate,
  estimateCells,
  estimateMarks,
  type MarksWorkload,
  type ResultKind,
} from './estimate-cost.js'
import { type Budget, overruns, suggestForCells, suggestForRows } from './suggest.js'
import { DAY_MS, type Shares, type TableStatistics } from './table-statistics.js'

export interface CostGuardDeps {
  /** Undefined while none were read: then everything is let through. */
  readonly statistics: () => TableStatistics | undefined
  readonly budgetOf: (tenantId: number) => Budget
  readonly now: () => number
  /** Told of each query that is refused. */
  readonly onRefuse?: () => void
}

/** A query over cells that is planned and not yet read. */
export interface PlannedCells {
  readonly tenantId: number
  readonly query: CellQuery
  readonly plan: Plan
  readonly series: number
  /** Different groups of the series; null where raw rows alone are read, whose groups nobody knows. */
  readonly groups: number | null
  /** Stream partitions, each of which has rows of its own in the 1-minute rollups. */
  readonly streamPartitions: number
}

/** A query over users of which is known what packed days hold, and that is not read yet. */
export interface PlannedMarks extends Pick<MarksWorkload, 'tenantId' | 'raw' | 'userHashes' | 'packed'> {
  readonly query: TimeRange & { readonly conditions: readonly { readonly event: string | null }[] }
}

/** Logins that a query reads one by one. */
type LoginsDemand = Extract<Demand, { from: 'login_events' }>

/** As PostgreSQL assumes for an expression it knows nothing of. */
const UNKNOWN_GROUPS = 200
const EVENT_TYPES = 6

/** Says what a query will cost before it is read, and refuses it above the tenant's budget. Asks no table: one that is refused reaches none. */
export class CostGuard {
  readonly #deps: CostGuardDeps

  constructor(deps: CostGuardDeps) {
    this.#deps = deps
  }

  /** Undefined without statistics. @throws QUERY_TOO_EXPENSIVE with `estimate`, `budget` and `suggestion` */
  admitCells(planned: PlannedCells): CostEstimate | undefined {
    const { tenantId, query, plan } = planned
    const estimate = this.#estimateCells(planned)
    if (estimate === undefined) return undefined
    this.#refuse(tenantId, estimate, (overrun) => suggestForCells(query, overrun, { readsRaw: plan.raw.length > 0 }))
    return estimate
  }

  /** Whether admitCells would let it through; counts nothing as refused. */
  wouldAdmitCells(planned: PlannedCells): boolean {
    const estimate = this.#estimateCells(planned)
    return estimate === undefined || overruns({ estimate, budget: this.#deps.budgetOf(planned.tenantId) }).length === 0
  }

  #estimateCells(planned: PlannedCells): CostEstimate | undefined {
    const { tenantId, query, plan, series } = planned
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const raw = [...plan.raw, ...(plan.tail.mode === 'read' ? plan.tail.ranges : [])]
    return estimateCells(
      {
        tenantId,
        events: query.event === null ? '*' : [query.event],
        rollup: plan.rollup.map(({ level, isPacked, ranges }) => ({
          ranges,
          widthMs: level * 1000,
          parts: level === 60 && !isPacked ? Math.max(1, planned.streamPartitions) : 1,
        })),
        series,
        raw,
        userHashes: userHashesOf(tenantId, query),
        places: query.bucketStarts.length * (planned.groups ?? groupsOf(query, statistics)),
        result: resultOf(query),
      },
      statistics,
      this.#deps.now(),
    )
  }

  /** As admitCells. */
  admitMarks({ query, ...work }: PlannedMarks): CostEstimate | undefined {
    const statistics = this.#deps.statistics()
    if (statistics === undefined) return undefined
    const names = query.conditions.map(({ event }) => event)
    const events = names.includes(null) ? '*' : [...new Set(names as string[])]
    const estimate = estimateMarks({ ...work, events }, statistics, this.#deps.now())
    this.#refuse(work.tenantId, estimate, (overrun) => suggestForRows(query, overrun))
    return estimate
  }

  /** All logins that a query reads, together. Undefined when it reads none: cells and marks are admitted when it is known how they are read. @throws as admitCells */
  admitRows(tenantId: number, demands: readonly Demand[]): CostEstimate | undefined {
    const logins = demands.filter((demand): demand is LoginsDemand => demand.from === 'login_events')
    const [first] = logins
    const statistics = this.#deps.statistics()
    if (first === undefined || statistics === undefined) return undefined
    const rows = logins.reduce((sum, demand) => sum + loginsIn(demand, statistics), 0)
    const estimate = { rows: Math.ceil(rows), partitions: logins.length, bytes: 0 }
    this.#refuse(tenantId, estimate, (overrun) => suggestForRows(first, overrun))
    return estimate
  }

  #refuse(
    tenantId: number,
    estimate: CostEstimate,
    suggest: (overrun: { estimate: CostEstimate; budget: Budget }) => string,
  ): void {
    const budget = this.#deps.budgetOf(tenantId)
    const over = overruns({ estimate, budget })
    if (over.length === 0) return
    this.#deps.onRefuse?.()
    const suggestion = suggest({ estimate, budget })
    const excess = over.map((part) => `${estimate[part]} ${part} of ${budget[part]}`).join(', ')
    throw errors.QUERY_TOO_EXPENSIVE({
      message: `the query would cost about ${excess}: ${suggestion}`,
      details: { estimate, budget, suggestion },
    })
  }
}

/** Logins lie in one table, by an index on time; as if they were spread evenly over the days that have events. Few numbers of them come here. */
function loginsIn({ fromMs, toMs }: LoginsDemand, { logins, firstDayMs, lastDayMs }: TableStatistics): number {
  const keptMs = Math.max(0, lastDayMs - firstDayMs) + DAY_MS
  return Math.min(1, (toMs - fromMs) / keptMs) * logins
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

function groupsOf({ groupBy }: CellQuery, statistics: TableStatistics): number {
  const distinct = { event: statistics.events, user_id: statistics.users, anonymous_id: statistics.users } as const
  return groupBy.reduce((product, { name }) => {
    if (name === 'type') return product * EVENT_TYPES
    if (name === 'message_id') return product * Number.MAX_SAFE_INTEGER
    const shares: Shares<unknown> | undefined = distinct[name as keyof typeof distinct]
    return product * (shares?.distinct ?? UNKNOWN_GROUPS)
  }, 1)
}
