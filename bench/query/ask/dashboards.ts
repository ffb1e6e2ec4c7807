import { DAY_MS, HOUR_MS } from '@millrace/contracts'
import type { Stack } from '@millrace/local-stack'
import { WireConnection } from '../../load/wire-connection.js'
import { createQueryRandom } from '../data/generate.js'
import { FUNNEL } from '../data/model.js'
import { type Quantiles, quantiles } from './measure.js'
import type { Query } from './query.js'
import { createDraws, SHAPES } from './shapes.js'

const DASHBOARDS = 100
/** As many as a browser opens to one host over HTTP/1.1. */
const CONNECTIONS = 6
const LOADS = 20
const WARM_LOADS = 3

/**
 * The panels of some dashboards as queries, the most popular first: two thirds over ranges that are closed, one third up to this moment. What a
 * dashboard asks is what rollups answer, now and then a user or a funnel.
 */
export function createDashboards({ seed, rows, endMs }: { seed: number; rows: number; endMs: number }): Query[] {
  const random = createQueryRandom(seed)
  const draws = createDraws({ random, rows, endMs })
  const panels = SHAPES.filter(({ set, kind }) => set === 'rollup' && kind !== 'daily')
  const rare = SHAPES.filter(({ set, kind }) => kind !== 'timeline' && set === 'user')
  return Array.from({ length: DASHBOARDS * 4 }, (_, index) => {
    const { to, ...query } = random.pick(index % 20 === 19 ? rare : panels).draw(draws)
    if (index % 3 !== 0 || to === undefined || query.from === undefined)
      return { ...query, ...(to !== undefined && { to }) }
    // Up to this moment, over as many days: the start stays where it is while the dashboard is open.
    const fromMs = Math.floor((endMs - (Date.parse(to) - Date.parse(query.from))) / HOUR_MS) * HOUR_MS
    return { ...query, from: new Date(fromMs).toISOString() }
  })
}

export interface DashboardFigures {
  first_ms: number
  cold: Quantiles
  warm: Quantiles
  cold_sources: Record<string, number>
}

/**
 * Loads a dashboard of 12 panels again and again, each time over other ranges, so that the first load of each is one that no cache of answers knows
 * (`cold`) and the next three are known (`warm`). Times are from the first request to the last answer, in ms; `first_ms` is that of the very first load, by
 * processes that have answered nothing yet if no other part came before. `cold_sources` shows that nothing was known.
 */
export async function measureDashboard({ stack, endMs }: { stack: Stack; endMs: number }): Promise<DashboardFigures> {
  const wires = Array.from({ length: CONNECTIONS }, () => new WireConnection(stack.url))
  const cold: number[] = []
  const warm: number[] = []
  const sources: Record<string, number> = {}
  try {
    const load = (index: number, seen: Record<string, number>) =>
      loadPanels(wires, { panels: createPanels({ endMs, index }), key: stack.adminKey, seen })
    const firstMs = await load(LOADS, {})
    for (let index = 0; index < LOADS; index++) {
      cold.push(await load(index, sources))
      for (let again = 0; again < WARM_LOADS; again++) warm.push(await load(index, {}))
    }
    return { first_ms: Math.round(firstMs), cold: quantiles(cold), warm: quantiles(warm), cold_sources: sources }
  } finally {
    for (const wire of wires) wire.close()
  }
}

/** A query as the parameters of a URL, with its kind. */
interface Panel {
  kind: string
  [parameter: string]: string | number
}

interface PanelLoad {
  panels: Panel[]
  key: string
  /** Counts answers by where they came from. */
  seen: Record<string, number>
}

/** Each connection takes the next panel as soon as it has its answer. */
async function loadPanels(wires: WireConnection[], { panels, key, seen }: PanelLoad): Promise<number> {
  const waiting = [...panels]
  const startedAt = performance.now()
  const lane = async (wire: WireConnection) => {
    for (let panel = waiting.shift(); panel !== undefined; panel = waiting.shift()) {
      const request = `GET ${addressOf(panel)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\n\r\n`
      const { status, body } = await wire.send(request, 60_000)
      if (status !== 200) throw new Error(`${panel.kind}: ${status} ${body}`)
      const source = /"source":"(\w+)"/.exec(body)?.[1] ?? 'unknown'
      seen[source] = (seen[source] ?? 0) + 1
    }
  }
  await Promise.all(wires.map(lane))
  return performance.now() - startedAt
}

/** Five panels up to this moment, seven up to some hour or day; ranges move with `index`. */
function createPanels({ endMs, index }: { endMs: number; index: number }): Panel[] {
  const iso = (ms: number) => new Date(ms).toISOString()
  const open = (days: number) => ({
    from: iso(Math.floor(endMs / HOUR_MS) * HOUR_MS - days * DAY_MS - index * HOUR_MS),
  })
  const closed = (days: number, stepMs = HOUR_MS) => {
    const to = Math.floor(endMs / stepMs) * stepMs - index * stepMs
    return { from: iso(to - days * DAY_MS), to: iso(to) }
  }
  const revenue = { metric: 'sum', property: 'properties.revenue' }
  const duration = { metric: 'p95', property: 'properties.duration_ms' }
  return [
    { kind: 'timeseries', event: 'Page Viewed', interval: '1h', ...open(7) },
    { kind: 'uniques', event: 'Page Viewed', interval: '1d', ...open(30) },
    { kind: 'timeseries', event: 'Order Completed', interval: '1d', compare: 'previous', ...open(30) },
    { kind: 'top', group_by: 'event', limit: 10, ...open(7) },
    { kind: 'percentiles', event: 'Page Viewed', ...duration, interval: '1h', ...open(7) },
    { kind: 'timeseries', event: 'Order Completed', ...revenue, interval: '1d', ...closed(30) },
    { kind: 'top', event: 'Page Viewed', group_by: 'properties.country', limit: 10, ...closed(30) },
    { kind: 'breakdown', event: 'Order Completed', ...revenue, group_by: 'properties.country', ...closed(30) },
    { kind: 'uniques', event: 'Page Viewed', ...closed(30) },
    { kind: 'funnel', steps: FUNNEL.join(','), window: '7d', ...closed(30) },
    { kind: 'retention', interval: '1w', ...closed(30, DAY_MS) },
    { kind: 'sessions', ...closed(7) },
  ]
}

function addressOf({ kind, ...fields }: Panel): string {
  const parameters = Object.entries(fields).map(([name, value]): [string, string] => [name, String(value)])
  return `/api/v1/query/${kind}?${new URLSearchParams(parameters).toString()}`
}
