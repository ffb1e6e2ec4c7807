import { requireScope } from '@millrace/auth'
import type { Filter, Metric, RunQueryRequest, Step } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { errors } from '../../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import {
  invalid,
  type Params,
  readChoice,
  readCount,
  readDuration,
  readFlag,
  readList,
  readText,
  readTime,
} from './read-params.js'
import { sendQueryAnswer } from './send-query-answer.js'

const kinds: ReadonlySet<string> = new Set([
  'timeseries',
  'top',
  'breakdown',
  'uniques',
  'percentiles',
  'funnel',
  'retention',
  'sessions',
  'logins',
  'daily',
])

/** GET and POST /api/v1/query/{kind}. */
export function addQueryApi(app: Express, deps: ApiDeps): void {
  const answer = async (req: Request, res: Response): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const kind = String(req.params.kind)
    if (!kinds.has(kind)) throw errors.ROUTE_NOT_FOUND({ message: 'there is no query of this kind' })
    const params = req.method === 'POST' ? toObject(req.body, 'the body') : (req.query as Params)
    const response = await deps.analytics.runQuery(toRequest(kind, params), onBehalfOf(principal))
    sendQueryAnswer(req, res, response)
  }
  app.get('/api/v1/query/:kind', answer)
  app.post('/api/v1/query/:kind', answer)
}

function toRequest(kind: string, params: Params): RunQueryRequest {
  return {
    kind,
    event: readText(params, 'event'),
    metric: readMetric(params),
    from: readTime(params, 'from'),
    to: readTime(params, 'to'),
    interval: readText(params, 'interval'),
    timezone: readText(params, 'timezone'),
    filters: readFilters(params.filters),
    groupBy: readList(params, 'group_by'),
    limit: readCount(params, 'limit', { min: 1, max: 10_000 }),
    cursor: readText(params, 'cursor', 4096),
    explain: readFlag(params, 'explain'),
    steps: readSteps(params),
    windowMs: BigInt(readDuration(params, 'window')),
    returnEvent: readText(params, 'return_event'),
    periods: readCount(params, 'periods', { min: 1, max: 366 }),
    compare: readChoice(params, 'compare', ['previous']),
    fill: readChoice(params, 'fill', ['zero', 'null', 'none']),
    minWatermark: readTime(params, 'min_watermark'),
    fresh: readFlag(params, 'fresh'),
  }
}

/** `metric: {agg, property}`; flat as `metric=sum&property=…`, `metric.agg=…` or `agg=…`. */
function readMetric(params: Params): Metric | undefined {
  const { metric } = params
  if (typeof metric === 'object' && metric !== null) {
    return { agg: readText(metric as Params, 'agg'), property: readText(metric as Params, 'property') }
  }
  const agg = readText(params, 'metric') || readText(params, 'metric.agg') || readText(params, 'agg')
  const property = readText(params, 'metric.property') || readText(params, 'property')
  return agg === '' && property === '' ? undefined : { agg, property }
}

/** A JSON list of {property, op, value}; as text in a query string. */
function readFilters(given: unknown): Filter[] {
  return readJsonList(given, 'filters').map((item) => {
    const filter = toObject(item, 'a filter')
    const { value } = filter
    return {
      property: readText(filter, 'property'),
      op: readText(filter, 'op') || 'eq',
      valueJson: value === undefined ? '' : JSON.stringify(value),
    }
  })
}

/** Names of events, or objects {event, filters}; as JSON text or names separated by commas in a query string. */
function readSteps(params: Params): Step[] {
  const { steps } = params
  const isNames = typeof steps === 'string' && !steps.trimStart().startsWith('[')
  const list: unknown[] = isNames ? readList(params, 'steps') : readJsonList(steps, 'steps')
  return list.map((item) => {
    if (typeof item === 'string') return { event: item, filters: [] }
    const step = toObject(item, 'a step')
    return { event: readText(step, 'event'), filters: readFilters(step.filters) }
  })
}

function readJsonList(given: unknown, name: string): unknown[] {
  if (given === undefined || given === null || given === '') return []
  const list = typeof given === 'string' ? parse(given, name) : given
  if (!Array.isArray(list) || list.length > 50) throw invalid(name, 'a list of at most 50 objects')
  return list
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(name, 'JSON')
  }
}

function toObject(value: unknown, name: string): Params {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(name, 'a JSON object')
  return value as Params
}
