import type { Filter } from '../query/filter.js'
import type { Metric } from '../query/metric.js'
import type { TimeRange } from '../query/time-range.js'
import type { ActiveDefinition } from './catalog.js'
import type { SeriesChoice } from './plan.js'

/** The parts of a query that decide which series can answer it. */
export interface SeriesRequest {
  readonly event: string | null
  readonly metric: Metric
  readonly filters: readonly Filter[]
  /** Names of field paths. */
  readonly groupBy: readonly string[]
}

export type SeriesResult =
  | { readonly kind: 'found'; readonly series: SeriesChoice; readonly complete: TimeRange; readonly reason: string }
  | { readonly kind: 'none'; readonly reason: string }

/**
 * Chooses the series with the fewest dimensions that contain every field that the query filters or groups by. Series
 * can answer only filters that compare the text of a field (eq, ne, in, not_in), because they do not store the type of
 * a value.
 */
export function chooseSeries(request: SeriesRequest, definitions: readonly ActiveDefinition[]): SeriesResult {
  const unfit = request.filters.find((filter) => filter.op !== 'in' && filter.op !== 'not_in')
  if (unfit !== undefined)
    return { kind: 'none', reason: `the filter ${unfit.op} on ${unfit.path.name} needs raw rows` }
  const property = request.metric.property?.name ?? null
  const fields = new Set([...request.groupBy, ...request.filters.map((filter) => filter.path.name)])
  fields.delete('event')
  const needsEvent = request.groupBy.includes('event') || request.filters.some((filter) => filter.path.name === 'event')
  const fits = definitions.filter(
    (definition) =>
      definition.property === property &&
      [...fields].every((field) => definition.dimensions.includes(field)) &&
      answersEvents(definition, request.event, needsEvent),
  )
  const wanted = `${property ?? 'counts and uniques'} by ${[...fields].join(', ') || 'event'}`
  if (fits.length === 0) return { kind: 'none', reason: `no rollup has ${wanted}` }
  const usable = fits.filter((definition) => !definition.hasOverflow)
  const best = usable.sort(byWidthThenAge)[0]
  if (best === undefined) return { kind: 'none', reason: `the rollup of ${wanted} exceeded its limit of series` }
  return {
    kind: 'found',
    series: { event: isBase(best) ? request.event : best.event, dimensions: best.dimensions, property: best.property },
    complete: { fromMs: best.activeFromMs, toMs: best.activeUntilMs },
    reason: `rollup of ${best.event === BASE_EVENT ? 'every event' : best.event} by (${best.dimensions.join(', ')})`,
  }
}

/** Event of the built-in definition, which counts every event by its name and is not in the table of definitions. */
export const BASE_EVENT = ''

function isBase(definition: ActiveDefinition): boolean {
  return definition.event === BASE_EVENT
}

function answersEvents(definition: ActiveDefinition, event: string | null, needsEvent: boolean): boolean {
  if (isBase(definition)) return true
  if (event !== null) return definition.event === event
  return definition.event === '*' && !needsEvent
}

function byWidthThenAge(a: ActiveDefinition, b: ActiveDefinition): number {
  return a.dimensions.length - b.dimensions.length || a.activeFromMs - b.activeFromMs
}
