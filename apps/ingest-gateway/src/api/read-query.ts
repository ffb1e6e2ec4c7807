import type { QueryKindName, RunQueryRequest } from '@millrace/contracts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { LENGTH_TEXT, querySchemas } from '@millrace/contracts/http'
import type { z } from 'zod'
import { errors } from '../errors.js'
import { invalid, type Params, readText } from './read-params.js'

export function isQueryKind(kind: string): kind is QueryKindName {
  return Object.hasOwn(querySchemas, kind)
}

/**
 * The request that a body or a query string makes: fields may be given as in the schema of the kind, or flat, as a query string
 * has to give them. `isStrict`: no answer that is behind its min_watermark is wanted. Throws INVALID_REQUEST naming the field and what is allowed.
 */
export function readQuery(kind: QueryKindName, params: Params): { request: RunQueryRequest; isStrict: boolean } {
  if (Object.hasOwn(params, '__proto__')) throw noField(kind, '__proto__') // as a key it would set a prototype, unseen by the schema
  const parsed = querySchemas[kind].safeParse(unflatten(params))
  if (!parsed.success) throw explain(kind, parsed.error.issues[0] as z.core.$ZodIssue)
  const query = parsed.data as AnyQuery
  return { request: toRequest(kind, query), isStrict: query.strict ?? false }
}

const FILTERS_LENGTH_MAX = 8192

/** Filters as a query has them, as JSON text; none when absent. Throws INVALID_REQUEST naming the field and what is allowed. */
export function readFilters(params: Params): RunQueryRequest['filters'] {
  const text = readText(params, 'filters', FILTERS_LENGTH_MAX)
  if (text === '') return []
  const parsed = querySchemas.timeseries.pick({ filters: true }).safeParse({ filters: toJson(text, 'filters') })
  if (parsed.success) return toFilters(parsed.data.filters)
  const issue = parsed.error.issues[0] as z.core.$ZodIssue
  throw errors.INVALID_REQUEST(problemOf(issue))
}

/** Every field that some kind has. */
type AnyQuery = Partial<Fields<z.output<(typeof querySchemas)[QueryKindName]>>>
type Fields<U> = { [K in U extends unknown ? keyof U : never]: U extends { [P in K]?: infer V } ? V : never }

function toRequest(kind: QueryKindName, query: AnyQuery): RunQueryRequest {
  const { metric } = query
  return {
    kind,
    event: query.event ?? '',
    metric: metric && { agg: metric.agg, property: 'property' in metric ? (metric.property ?? '') : '' },
    from: toDate(query.from),
    to: toDate(query.to),
    interval: query.interval ?? '',
    timezone: query.timezone ?? '',
    filters: toFilters(query.filters),
    groupBy: query.group_by ?? [],
    limit: query.limit ?? 0,
    cursor: query.cursor ?? '',
    explain: query.explain ?? false,
    steps: (query.steps ?? []).map((step) =>
      typeof step === 'string' ? { event: step, filters: [] } : { event: step.event, filters: toFilters(step.filters) },
    ),
    windowMs: toMilliseconds(query.window),
    returnEvent: query.return_event ?? '',
    periods: query.periods ?? 0,
    compare: query.compare ?? '',
    fill: query.fill ?? '',
    minWatermark: toDate(query.min_watermark),
    fresh: query.fresh ?? false,
    fromIsLocal: isDay(query.from),
    toIsLocal: isDay(query.to),
    waitMs: query.wait === undefined ? undefined : Math.min(Number(toMilliseconds(query.wait)), WAIT_MS_MAX),
  }
}

/** Of a field that holds 32 bits; the service has a much lower limit. */
const WAIT_MS_MAX = DAY_MS

function toFilters(filters: AnyQuery['filters']): RunQueryRequest['filters'] {
  return (filters ?? []).map(({ property, op, value }) => ({
    property,
    op,
    valueJson: value === undefined ? '' : JSON.stringify(value),
  }))
}

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

/** Whether there is no time in a text that `isTime` allows, which is then of the time zone of the query; undefined: no. */
function isDay(text: string | undefined): true | undefined {
  return text?.length === '2026-11-21'.length ? true : undefined
}

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS }

function toMilliseconds(length: AnyQuery['window']): bigint {
  if (typeof length !== 'string') return BigInt(length ?? 0)
  const [, digits = '0', unit = ''] = LENGTH_TEXT.exec(length) ?? []
  return BigInt(Number(digits) * (unitMs[unit] ?? 1))
}

/** What is given flat as the fields of a body; null and an empty text stand for an absent field. */
function unflatten(params: Params): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null || value === '') continue
    fields[name] =
      typeof value === 'string' && Object.hasOwn(unflattenField, name) ? unflattenField[name]?.(value, name) : value
  }
  return unflattenMetric(fields)
}

const toNumber = (text: string): unknown => (/^\d{1,15}$/.test(text) ? Number(text) : text)
const toFlag = (text: string): unknown => ({ true: true, 1: true, false: false, 0: false })[text] ?? text
const toList = (text: string, name: string): unknown =>
  text.trimStart().startsWith('[') ? toJson(text, name) : text.split(',').map((item) => item.trim())

const unflattenField: Readonly<Record<string, (text: string, name: string) => unknown>> = {
  limit: toNumber,
  periods: toNumber,
  explain: toFlag,
  fresh: toFlag,
  strict: toFlag,
  group_by: toList,
  steps: toList,
  filters: toJson,
}

/** `metric=sum&property=…`, `metric.agg=…&metric.property=…` or `agg=…`. */
function unflattenMetric(fields: Record<string, unknown>): Record<string, unknown> {
  const { metric, agg, property, 'metric.agg': dottedAgg, 'metric.property': dottedProperty, ...rest } = fields
  if (typeof metric === 'object') return fields
  const flat = { agg: metric ?? dottedAgg ?? agg, property: dottedProperty ?? property }
  if (flat.agg === undefined && flat.property === undefined) return rest
  return { ...rest, metric: Object.fromEntries(Object.entries(flat).filter(([, value]) => value !== undefined)) }
}

function toJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid(name, 'JSON')
  }
}

function explain(kind: QueryKindName, issue: z.core.$ZodIssue): Error {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return noField(kind, [...path, issue.keys[0]].join('.'), path.length === 0)
  }
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
  const problem = problemOf(issue)
  return errors.INVALID_REQUEST({
    ...problem,
    ...(isMissing && { message: `a ${kind} query needs ${problem.details.field}` }),
  })
}

function problemOf(issue: z.core.$ZodIssue) {
  const field = issue.path.map(String).join('.')
  return {
    message: `${field}: ${issue.message.slice(0, 1).toLowerCase()}${issue.message.slice(1)}`,
    details: { field, ...(issue.code === 'custom' && issue.params) },
  }
}

function noField(kind: QueryKindName, field: string, isTop = true): Error {
  const known = isTop ? `: it has ${Object.keys(querySchemas[kind].shape).join(', ')}` : ''
  return errors.INVALID_REQUEST({ message: `a ${kind} query has no field ${field}${known}`, details: { field } })
}
