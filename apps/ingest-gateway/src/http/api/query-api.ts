import { requireScope } from '@millrace/auth'
import type { DataPoint, Filter, Metric, RunQueryRequest, RunQueryResponse } from '@millrace/contracts'
import type { Express, Request, Response } from 'express'
import { errors } from '../../errors.js'
import { type ApiDeps, onBehalfOf } from './api-deps.js'
import { invalid, type Params, readCount, readFlag, readList, readText, readTime } from './read-params.js'

const kinds: ReadonlySet<string> = new Set(['timeseries', 'top', 'breakdown', 'uniques', 'percentiles'])
/** In the contract, and to come: answered honestly until then. */
const laterKinds: ReadonlySet<string> = new Set(['funnel', 'retention', 'sessions', 'logins'])

/** GET and POST /api/v1/query/{kind}. */
export function addQueryApi(app: Express, deps: ApiDeps): void {
  const answer = async (req: Request, res: Response): Promise<void> => {
    const principal = await deps.identify(req)
    requireScope(principal, 'read')
    const kind = String(req.params.kind)
    if (laterKinds.has(kind)) throw errors.NOT_BUILT_YET({ message: `${kind} queries are not built yet` })
    if (!kinds.has(kind)) throw errors.ROUTE_NOT_FOUND({ message: 'there is no query of this kind' })
    const params = req.method === 'POST' ? toObject(req.body, 'the body') : (req.query as Params)
    const response = await deps.analytics.runQuery(toRequest(kind, params), onBehalfOf(principal))
    res.json(toAnswer(response))
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
    filters: readFilters(params),
    groupBy: readList(params, 'group_by'),
    limit: readCount(params, 'limit', { min: 1, max: 10_000 }),
    cursor: readText(params, 'cursor', 4096),
    explain: readFlag(params, 'explain'),
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
function readFilters(params: Params): Filter[] {
  let { filters } = params
  if (filters === undefined || filters === null || filters === '') return []
  if (typeof filters === 'string') filters = parse(filters)
  if (!Array.isArray(filters) || filters.length > 50)
    throw invalid('filters', 'a list of at most 50 objects {property, op, value}')
  return filters.map((item: unknown) => {
    const filter = toObject(item, 'a filter')
    const { value } = filter
    return {
      property: readText(filter, 'property'),
      op: readText(filter, 'op') || 'eq',
      valueJson: value === undefined ? '' : JSON.stringify(value),
    }
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('filters', 'JSON')
  }
}

function toObject(value: unknown, name: string): Params {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(name, 'a JSON object')
  return value as Params
}

function toAnswer({ data, nextCursor, meta }: RunQueryResponse): object {
  const plan = meta === undefined || meta.planJson === '' ? {} : { plan: JSON.parse(meta.planJson) as unknown }
  return {
    data: data.map(toPoint),
    next_cursor: nextCursor === '' ? null : nextCursor,
    meta: {
      source: meta?.source,
      age_ms: meta?.ageMs,
      watermark: meta?.watermark ?? null,
      took_ms: meta?.tookMs,
      ...plan,
    },
  }
}

function toPoint({ time, group, value, values }: DataPoint): object {
  return {
    ...(time === undefined ? {} : { time }),
    ...(Object.keys(group).length === 0 ? {} : { group }),
    value: value ?? null,
    ...(Object.keys(values).length === 0 ? {} : { values }),
  }
}
