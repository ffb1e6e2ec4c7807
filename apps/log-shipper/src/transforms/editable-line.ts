import { createMembers, type Members } from '../fields/member-adder.js'
import type { LogRecord } from '../records/log-record.js'
import { formatTime } from '../records/parse-time.js'
import { levelOf } from '../records/severity.js'

/** A line that rules change. Values inside `attributes` belong to the record that the line was made of and are never changed; see `writeField`. */
export type EditableLine = { -readonly [K in keyof Omit<LogRecord, 'attributes'>]: LogRecord[K] } & {
  attributes: Members
}

/** A copy whose fields can be replaced. */
export function toEditable(record: LogRecord): EditableLine {
  return { ...record, attributes: Object.assign(createMembers(), record.attributes) }
}

/** The fields of a line that hold texts and that rules may write. */
export const TEXT_FIELDS = ['message', 'service', 'host', 'severity_text', 'trace_id', 'span_id'] as const
/** Fields that rules may only read; the steps `severity` and `time` change them. */
export const READ_ONLY_FIELDS = ['level', 'severity', 'time'] as const
type TextField = (typeof TEXT_FIELDS)[number]
type ReadOnlyField = (typeof READ_ONLY_FIELDS)[number]

const KEYS = {
  message: 'message',
  service: 'service',
  host: 'host',
  severity_text: 'severityText',
  trace_id: 'traceId',
  span_id: 'spanId',
} as const satisfies Record<TextField, keyof LogRecord>

/** A field of a line: one of its own, or an attribute by its dotted path. */
export type FieldPath =
  | { readonly kind: 'text'; readonly name: TextField }
  | { readonly kind: 'read_only'; readonly name: ReadOnlyField }
  | { readonly kind: 'attribute'; readonly path: string; readonly parts: readonly string[] }

/**
 * The value of a field; undefined when the line does not have it. `attributes.a.b` is the attribute with the name `a.b`, or else the member `b` of
 * the attribute `a`. Texts of the line itself are absent when they are empty.
 */
export function readField(line: EditableLine, field: FieldPath): unknown {
  if (field.kind === 'attribute') return readAttribute(line.attributes, field)
  if (field.kind === 'text') return line[KEYS[field.name]] || undefined
  if (field.name === 'severity') return line.severity === 0 ? undefined : line.severity
  if (field.name === 'level') return levelOf(line.severity)
  return line.timeMs === undefined ? undefined : formatTime(line.timeMs, line.timeSubNs)
}

function readAttribute(attributes: Members, { path, parts }: { path: string; parts: readonly string[] }): unknown {
  if (Object.hasOwn(attributes, path)) return attributes[path]
  let value: unknown = attributes
  for (const part of parts) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined
    value = value[part]
  }
  return value
}

/** Sets a field. Objects on the path to an attribute are copied, missing ones are created, and what is in their way is replaced. */
export function writeField(line: EditableLine, field: FieldPath, value: unknown): void {
  if (field.kind === 'text') line[KEYS[field.name]] = toText(value)
  else if (field.kind === 'attribute') {
    const { path, parts } = field
    if (parts.length === 1 || path in line.attributes || !isObject(line.attributes[parts[0] as string]))
      line.attributes[path] = value
    else writeNested(line.attributes, parts, value)
  }
}

function writeNested(attributes: Members, parts: readonly string[], value: unknown): void {
  let at = attributes
  for (const part of parts.slice(0, -1)) {
    const inner = at[part]
    const copy: Members = isObject(inner) ? Object.assign(createMembers(), inner) : createMembers()
    at[part] = copy
    at = copy
  }
  at[parts.at(-1) as string] = value
}

/** Removes a field, so that the line no longer has it. */
export function removeField(line: EditableLine, field: FieldPath): void {
  if (field.kind === 'text') line[KEYS[field.name]] = ''
  if (field.kind !== 'attribute' || readAttribute(line.attributes, field) === undefined) return
  const { path, parts } = field
  if (path in line.attributes) {
    delete line.attributes[path]
    return
  }
  const parent = parts.slice(0, -1)
  const inner = readAttribute(line.attributes, { path: '', parts: parent }) as Members
  const copy: Members = Object.assign(createMembers(), inner)
  delete copy[parts.at(-1) as string]
  writeNested(line.attributes, parent, copy)
}

/** A value as text: texts unchanged, other values as JSON; '' for undefined and null. */
export function toText(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : (JSON.stringify(value) ?? '')
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
