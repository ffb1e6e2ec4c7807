import { flagNames } from '../records/log-record.js'
import { formatTime } from '../records/parse-time.js'
import { levelOf } from '../records/severity.js'
import type { LogRow } from '../search/compiled-query.js'
import { scalarsIn, valuesAt } from './query-line.js'
import { LINE_FIELDS, resolveField } from './query-tree.js'

/** The members of a line in the public API, besides the attributes. */
const MEMBERS = ['id', 'time', ...LINE_FIELDS, 'original_bytes'] as const
type Member = (typeof MEMBERS)[number]

function memberOf(row: LogRow, name: Member): unknown {
  switch (name) {
    case 'id':
      return lineId(row)
    case 'time':
      return formatTime(row.timeMs, row.timeSubNs)
    case 'level':
      return levelOf(row.severity)
    case 'severity':
      return row.severity
    case 'severity_text':
      return row.severityText
    case 'service':
      return row.service
    case 'host':
      return row.host
    case 'trace_id':
      return row.traceId
    case 'span_id':
      return row.spanId
    case 'message':
      return row.message
    case 'flags':
      return flagNames(row.flags)
    case 'original_bytes':
      return row.originalBytes
  }
}

/** The time of a line in it makes that a line can be found by its id without looking at others. */
export function lineId({
  timeMs,
  timeSubNs,
  partition,
  ordinal,
}: Pick<LogRow, 'timeMs' | 'timeSubNs' | 'partition' | 'ordinal'>): string {
  return `${timeMs}${String(timeSubNs).padStart(6, '0')}-${partition}-${ordinal}`
}

const ID = /^(\d{1,16})(\d{6})-(\d{1,5})-(\d{1,16})$/

/** The place of the line with an id; undefined for texts that are no id. */
export function parseLineId(id: string): Pick<LogRow, 'timeMs' | 'timeSubNs' | 'partition' | 'ordinal'> | undefined {
  const [, timeMs, timeSubNs, partition, ordinal] = (ID.exec(id) ?? []).map(Number)
  if (timeMs === undefined || timeSubNs === undefined || partition === undefined || ordinal === undefined)
    return undefined
  return Number.isSafeInteger(timeMs) && Number.isSafeInteger(ordinal)
    ? { timeMs, timeSubNs, partition, ordinal }
    : undefined
}

/** The texts that a line has in a field, each once. */
export function fieldTexts(row: LogRow, field: readonly string[]): string[] {
  const target = resolveField(field)
  if (target.kind === 'line') {
    const value = memberOf(row, target.name)
    const texts = Array.isArray(value) ? value.map(String) : [String(value)]
    return texts.filter((text) => text !== '')
  }
  if (row.attributesJson === '{}') return []
  const found = valuesAt(JSON.parse(row.attributesJson), target.path)
  return [...new Set(found.flatMap(scalarsIn).map(String))]
}

const COLUMNS = {
  level: 'severity',
  severity: 'severity',
  severity_text: 'severityText',
  service: 'service',
  host: 'host',
  trace_id: 'trace',
  span_id: 'span',
  message: 'message',
  flags: 'flags',
} as const

/** The column that has a field. */
export function columnOf(field: readonly string[]): (typeof COLUMNS)[keyof typeof COLUMNS] | 'attributes' {
  const target = resolveField(field)
  return target.kind === 'line' ? COLUMNS[target.name] : 'attributes'
}

/** A name as a parameter has it. Dots separate the parts of a path; keys with dots are found all the same. */
export function toFieldPath(name: string): readonly string[] {
  return name.split('.')
}

/** Writes lines as JSON: whole, or with the fields that were asked for. The id is always there. */
export function createLineWriter(
  fields: readonly string[],
): (row: LogRow, more?: Readonly<Record<string, unknown>>) => string {
  if (fields.length === 0)
    return (row, more) => {
      const members = Object.fromEntries(MEMBERS.map((name) => [name, memberOf(row, name)]))
      // The attributes are JSON text already.
      return `${JSON.stringify({ ...members, ...more }).slice(0, -1)},"attributes":${row.attributesJson}}`
    }
  const members = new Set<Member>(['id'])
  const paths: (readonly string[])[] = []
  let hasAll = false
  for (const name of fields) {
    const member = MEMBERS.find((one) => one === name)
    const target = resolveField(toFieldPath(name))
    if (member !== undefined) members.add(member)
    else if (name === 'attributes') hasAll = true
    else if (target.kind === 'line') members.add(target.name)
    else paths.push(target.path)
  }
  return (row, more) => {
    const chosen = Object.fromEntries(
      MEMBERS.filter((name) => members.has(name)).map((name) => [name, memberOf(row, name)]),
    )
    const text = JSON.stringify({ ...chosen, ...more })
    if (hasAll) return `${text.slice(0, -1)},"attributes":${row.attributesJson}}`
    if (paths.length === 0) return text
    const attributes = JSON.parse(row.attributesJson) as object
    return `${text.slice(0, -1)},"attributes":${JSON.stringify(pickPaths(attributes, paths))}}`
  }
}

/** The members of an object that lie on one of the paths, in the form in which they are. */
function pickPaths(value: object, paths: readonly (readonly string[])[]): object {
  const picked: Record<string, unknown> = Object.create(null)
  for (const [key, member] of Object.entries(value)) {
    const rests = paths.flatMap((path) => restAfter(path, key))
    if (rests.some((rest) => rest.length === 0)) picked[key] = member
    else if (rests.length > 0) {
      const inner = pickInside(member, rests)
      if (inner !== undefined) picked[key] = inner
    }
  }
  return picked
}

function pickInside(value: unknown, paths: readonly (readonly string[])[]): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => pickInside(item, paths)).filter((item) => item !== undefined)
    return items.length === 0 ? undefined : items
  }
  if (typeof value !== 'object' || value === null) return undefined
  const picked = pickPaths(value, paths)
  return Object.keys(picked).length === 0 ? undefined : picked
}

/** What remains of a path after a key, which may stand for several parts. */
function restAfter(path: readonly string[], key: string): readonly string[][] {
  for (let parts = 1; parts <= path.length; parts++)
    if (path.slice(0, parts).join('.') === key) return [path.slice(parts)]
  return []
}
