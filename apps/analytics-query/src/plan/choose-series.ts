import type { Filter } from '../query/filter.js'
import type { Metric } from '../query/metric.js'
import type { TimeRange } from '../query/time-range.js'
import type { ActiveDefinition } from './catalog.js'
import type { SeriesChoice } from './plan.js'

/** What of a query decides which series can answer it. */
export interface SeriesQuestion {
  readonly event: string | null
  readonly metric: Metric
  readonly filters: readonly Filter[]
  /** Names of paths. */
  readonly groupBy: readonly string[]
}

export type SeriesAnswer =
  | { readonly kind: 'found'; readonly series: SeriesChoice; readonly complete: TimeRange; readonly reason: string }
  | { readonly kind: 'none'; readonly reason: string }

/**
 * The series with the fewest dimensions that hold every field the query filters or groups by. Only filters that compare a field's
 * text (eq, ne, in) can be answered from series, because they do not keep a value's type.
 */
export function chooseSeries(question: SeriesQuestion, definitions: readonly ActiveDefinition[]): SeriesAnswer {
  const unfit = question.filters.find((filter) => filter.op !== 'in' && filter.op !== 'not_in')
  if (unfit !== undefined)
    return { kind: 'none', reason: `the filter ${unfit.op} on ${unfit.path.name} needs raw rows` }
  const property = question.metric.property?.name ?? null
  const fields = new Set([...question.groupBy, ...question.filters.map((filter) => filter.path.name)])
  fields.delete('event')
  const needsEvent =
    question.groupBy.includes('event') || question.filters.some((filter) => filter.path.name === 'event')
  const fits = definitions.filter(
    (definition) =>
      definition.property === property &&
      [...fields].every((field) => definition.dimensions.includes(field)) &&
      answersEvents(definition, question.event, needsEvent),
  )
  const wanted = `${property ?? 'counts and uniques'} by ${[...fields].join(', ') || 'event'}`
  if (fits.length === 0) return { kind: 'none', reason: `no rollup keeps ${wanted}` }
  const usable = fits.filter((definition) => !definition.hasOverflow)
  const best = usable.sort(byWidthThenAge)[0]
  if (best === undefined) return { kind: 'none', reason: `the rollup of ${wanted} has overflowed` }
  return {
    kind: 'found',
    series: { event: isBase(best) ? question.event : best.event, dimensions: best.dimensions, property: best.property },
    complete: { fromMs: best.activeFromMs, toMs: best.activeUntilMs },
    reason: `rollup of ${best.event === BASE_EVENT ? 'every event' : best.event} by (${best.dimensions.join(', ')})`,
  }
}

/** The event of the definition of the series that every event counts in, one a name; it is built in and not in the table. */
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
