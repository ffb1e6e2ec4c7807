import type { QueryKindName, RunQueryRequest } from '@millrace/contracts'
import {
  type AnyQuery,
  type QueryStringForm,
  queryFilters,
  queryKinds,
  queryStringForms,
  toFilterMessages,
  toRunQueryRequest,
} from '@millrace/contracts/http'
import { z } from 'zod'
import { errors } from '../errors.js'
import { closestName } from './closest-name.js'
import { invalid, type Params, readText } from './read-params.js'

/**
 * The request in a body or a query string, for analytics-query. Bodies may use the forms of query strings too. `isStrict`: the client wants no
 * answer that is behind its `min_watermark`. @throws INVALID_REQUEST naming the field and what is allowed
 */
export function readQuery(kind: QueryKindName, params: Params): { request: RunQueryRequest; isStrict: boolean } {
  // As a key of an object it would set the prototype, and the schema would not see it.
  if (Object.hasOwn(params, '__proto__')) throw noField(kind, '__proto__')
  const parsed = queryKinds[kind].request.safeParse(parseForms(kind, params))
  if (!parsed.success) throw explain(kind, parsed.error.issues[0] as z.core.$ZodIssue)
  const query: AnyQuery = parsed.data
  if (query.min_watermark === undefined) rejectWithoutWatermark(query)
  return { request: toRunQueryRequest(kind, query), isStrict: query.strict ?? false }
}

/** Both say what to do about min_watermark. Alone they would be ignored. */
function rejectWithoutWatermark({ strict, wait }: AnyQuery): void {
  const field = strict === true ? 'strict' : wait === undefined ? undefined : 'wait'
  if (field !== undefined) throw errors.INVALID_REQUEST({ message: `${field} needs min_watermark`, details: { field } })
}

const FILTERS_LENGTH_MAX = 8192
const filtersOnly = z.object({ filters: queryFilters })

/** The filters of a list, which come as JSON text; none when absent. @throws INVALID_REQUEST naming the field and what is allowed */
export function readFilters(params: Params): RunQueryRequest['filters'] {
  const text = readText(params, 'filters', FILTERS_LENGTH_MAX)
  if (text === '') return []
  const parsed = filtersOnly.safeParse({ filters: parseJson(text, 'filters') })
  if (parsed.success) return toFilterMessages(parsed.data.filters)
  const issue = parsed.error.issues[0] as z.core.$ZodIssue
  throw errors.INVALID_REQUEST(problemOf(issue))
}

/** Query strings have only texts: reads each field in its form. Null stands for an absent field. */
function parseForms(kind: QueryKindName, params: Params): Record<string, unknown> {
  const forms = queryStringForms[kind]
  const fields: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(params)) {
    if (value === undefined || value === null) continue
    const form = Object.hasOwn(forms, name) ? forms[name] : undefined
    fields[name] = typeof value === 'string' && form !== undefined ? parseForm[form](value, name) : value
  }
  return parseMetric(fields)
}

const asIs = (text: string): unknown => text

const parseForm: Readonly<Record<QueryStringForm, (text: string, name: string) => unknown>> = {
  text: asIs,
  metric: asIs,
  number: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
  flag: (text) => ({ true: true, 1: true, false: false, 0: false })[text] ?? text,
  list: (text, name) =>
    text.trimStart().startsWith('[') ? parseJson(text, name) : text.split(',').map((item) => item.trim()),
  json: parseJson,
}

/** `metric=sum&property=…`. */
function parseMetric(fields: Record<string, unknown>): Record<string, unknown> {
  const { metric, property, ...rest } = fields
  if (typeof metric === 'object') return fields
  const flat = { agg: metric, property }
  if (flat.agg === undefined && flat.property === undefined) return rest
  return { ...rest, metric: Object.fromEntries(Object.entries(flat).filter(([, value]) => value !== undefined)) }
}

function parseJson(text: string, name: string): unknown {
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
  const known = Object.keys(queryKinds[kind].request.shape)
  const meant = isTop ? closestName(field, known) : undefined
  const question = meant === undefined ? '' : `; did you mean ${meant}?`
  const list = isTop ? `: it has ${known.join(', ')}` : ''
  return errors.INVALID_REQUEST({
    message: `a ${kind} query has no field ${field.slice(0, 100)}${list}${question}`,
    details: { field, ...(isTop && { known }), ...(meant !== undefined && { did_you_mean: meant }) },
  })
}
