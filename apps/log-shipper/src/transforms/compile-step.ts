import { type Hash64, hashText } from '@millrace/contracts'
import { type ExactTime, parseTime } from '../records/parse-time.js'
import { compileParse, type ParseDeps } from './compile-parse.js'
import { readSeverity } from './condition.js'
import { type EditableLine, readField, removeField, toText, writeField } from './editable-line.js'
import { readClfTime, readUnixTime, UNIX_UNITS } from './field-times.js'
import { ObjectReader, parseField } from './rule-reader.js'
import type { Step } from './step.js'
import { compileTemplate, type Template, WROTE_TOO_MUCH } from './template.js'

/** The kinds of steps, each a function from its JSON to the step. A mistake is noted, and undefined is returned. */
const STEPS: Readonly<Record<string, (value: unknown, at: string, deps: ParseDeps) => Step | undefined>> = {
  parse: compileParse,
  rename: compileRename,
  remove: compileRemove,
  set: compileSet,
  lookup: compileLookup,
  severity: compileSeverity,
  time: compileTime,
  route: compileRoute,
  sample: compileSample,
  drop: compileDrop,
}

/** A step of a rule with its name. */
export interface NamedStep {
  readonly name: string
  readonly run: Step
}

/** A step: an object with one field, the name of its kind. */
export function compileStep(value: unknown, at: string, deps: ParseDeps): NamedStep | undefined {
  const names = Object.keys(STEPS)
  const reader = ObjectReader.of(value, at, names, deps.faults)
  if (reader === undefined) return undefined
  const [name, ...more] = Object.keys(value as object)
  if (name === undefined || more.length > 0) return deps.faults.add(at, `must have exactly one of ${names.join(', ')}`)
  const run = STEPS[name]?.(reader.raw(name), reader.place(name), deps)
  return run && { name, run }
}

function compileRename(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['from', 'to', 'optional'], faults)
  if (reader === undefined) return undefined
  const from = reader.field('from', { isWritten: true })
  const to = reader.field('to', { isWritten: true })
  const isOptional = reader.flag('optional')
  if (from === undefined || to === undefined) return undefined
  return (line) => {
    const found = readField(line, from)
    if (found === undefined) return isOptional ? undefined : { failure: 'the line does not have the field' }
    removeField(line, from)
    writeField(line, to, found)
    return undefined
  }
}

function compileRemove(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['fields'], faults)
  const names = reader?.texts('fields', 100)
  const fields = names?.flatMap((name, index) => {
    const field = parseField(name)
    const isRight = typeof field !== 'string' && field.kind !== 'read_only'
    if (!isRight) faults.add(`${at}.fields[${index}]`, typeof field === 'string' ? field : 'cannot be removed')
    return isRight ? [field] : []
  })
  return (
    fields &&
    ((line) => {
      for (const field of fields) removeField(line, field)
      return undefined
    })
  )
}

function compileSet(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['field', 'value', 'template'], faults)
  if (reader === undefined) return undefined
  const field = reader.field('field', { isWritten: true })
  if (reader.has('value') === reader.has('template')) return faults.add(at, 'needs either value or template')
  if (reader.has('template')) {
    const template = readTemplate(reader, 'template', faults)
    if (field === undefined || template === undefined) return undefined
    return (line, budget) => {
      const text = template(line, budget)
      if (typeof text !== 'string') return text
      writeField(line, field, text)
      return undefined
    }
  }
  const constant = reader.raw('value')
  const length = JSON.stringify(constant).length
  if (length > 65_536) return reader.fault('value', 'must have at most 65,536 characters as JSON')
  if (field === undefined) return undefined
  if (field.kind === 'text' && typeof constant !== 'string')
    return reader.fault('value', 'must be a text for this field')
  return (line, budget) => {
    if (!budget.takeWrite(length)) return WROTE_TOO_MUCH
    writeField(line, field, constant)
    return undefined
  }
}

function readTemplate(reader: ObjectReader, name: string, faults: ParseDeps['faults']): Template | undefined {
  const source = reader.text(name, 4096)
  return source === undefined ? undefined : compileTemplate(source, reader.place(name), faults)
}

const TABLE_ENTRIES_MAX = 10_000

function compileLookup(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['field', 'table', 'to', 'default'], faults)
  if (reader === undefined) return undefined
  const field = reader.field('field')
  const to = reader.field('to', { isWritten: true })
  const table = readTable(reader, (entry) => (typeof entry === 'object' && entry !== null ? undefined : entry), {
    entriesMax: TABLE_ENTRIES_MAX,
    wanted: 'a text, a number, true, false or null',
  })
  const fallback = reader.raw('default')
  if (typeof fallback === 'object' && fallback !== null) reader.fault('default', 'must be no list and no object')
  if (field === undefined || to === undefined || table === undefined) return undefined
  return (line, budget) => {
    const key = readField(line, field)
    const found = key === undefined ? undefined : table.get(toText(key))
    const result = found === undefined ? fallback : found
    if (result === undefined) return undefined
    if (!budget.takeWrite(toText(result).length)) return WROTE_TOO_MUCH
    writeField(line, to, result)
    return undefined
  }
}

function readTable<T>(
  reader: ObjectReader,
  read: (entry: unknown) => T | undefined,
  { entriesMax, wanted }: { readonly entriesMax: number; readonly wanted: string },
): ReadonlyMap<string, T> | undefined {
  const value = reader.raw('table')
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return reader.fault('table', 'must be an object with a value for each text')
  const entries = Object.entries(value)
  if (entries.length > entriesMax)
    return reader.fault('table', `has ${entries.length} entries; the most are ${entriesMax}`)
  const table = new Map<string, T>()
  for (const [key, entry] of entries) {
    const found = read(entry)
    if (found === undefined)
      return reader.fault('table', `the value of ${JSON.stringify(key).slice(0, 100)} must be ${wanted}`)
    table.set(key, found)
  }
  return table
}

/** Without a table the usual names of levels are known, as for lines that arrive. */
function compileSeverity(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['field', 'table', 'level'], faults)
  if (reader === undefined) return undefined
  if (reader.has('level')) {
    const severity = readSeverity(reader.raw('level'))
    if (severity === undefined)
      return reader.fault('level', 'must be the name of a level, or a severity number from 0 to 24')
    if (reader.has('field') || reader.has('table'))
      return faults.add(at, 'needs either level, or field with or without table')
    return (line) => {
      line.severity = severity
      return undefined
    }
  }
  const field = reader.field('field')
  const wanted = 'the name of a level, or a severity number from 0 to 24'
  const table = reader.has('table') ? readTable(reader, readSeverity, { entriesMax: 1000, wanted }) : undefined
  if (field === undefined) return undefined
  return (line) => {
    const found = readField(line, field)
    const severity = table === undefined ? readSeverity(found) : table.get(toText(found))
    if (severity === undefined) return { failure: 'the value of the field is no level' }
    line.severity = severity
    return undefined
  }
}

const FORMATS = ['auto', 'iso8601', ...UNIX_UNITS, 'clf'] as const

function compileTime(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['field', 'format', 'remove_source'], faults)
  if (reader === undefined) return undefined
  const field = reader.field('field')
  const format = reader.has('format') ? reader.choice('format', FORMATS) : 'auto'
  const isRemoved = reader.flag('remove_source')
  if (field === undefined || format === undefined) return undefined
  return (line) => {
    const time = readTime(readField(line, field), format)
    if (time === undefined) return { failure: 'the value of the field is no time of this format' }
    line.timeMs = time.ms
    line.timeSubNs = time.subNs
    if (isRemoved) removeField(line, field)
    return undefined
  }
}

function readTime(value: unknown, format: (typeof FORMATS)[number]): ExactTime | undefined {
  switch (format) {
    case 'auto':
      return parseTime(value) ?? (typeof value === 'string' ? readClfTime(value) : undefined)
    case 'iso8601':
      return typeof value === 'string' && !/^\s*[\d.]*\s*$/.test(value) ? parseTime(value) : undefined
    case 'clf':
      return typeof value === 'string' ? readClfTime(value) : undefined
    default:
      return readUnixTime(value, format)
  }
}

function compileRoute(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['service'], faults)
  const template = reader && readTemplate(reader, 'service', faults)
  return (
    template &&
    ((line, budget) => {
      const service = template(line, budget)
      if (typeof service !== 'string') return service
      if (service.trim() === '') return { failure: 'the name of the service is empty' }
      line.service = service
      return undefined
    })
  )
}

const hash: Hash64 = { lo: 0, hi: 0 }
/** Not the seed of another use of the hash. */
const SAMPLE_SEED = 0x5a3b1e
const TWO_TO_32 = 4_294_967_296

/**
 * Keeps a share of the lines. The same key always has the same answer, in every process: lines of one trace are kept or dropped together, and a line
 * that is sent again is treated as before.
 */
function compileSample(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, ['keep', 'by', 'field'], faults)
  if (reader === undefined) return undefined
  const keep = reader.raw('keep')
  if (typeof keep !== 'number' || !(keep >= 0 && keep <= 1)) return reader.fault('keep', 'must be a number from 0 to 1')
  const by = reader.has('by') ? reader.choice('by', ['trace', 'line', 'field']) : 'trace'
  const field = by === 'field' ? reader.field('field') : undefined
  if (by === undefined || (by === 'field' && field === undefined)) return undefined
  if (by !== 'field' && reader.has('field')) return reader.fault('field', 'is only for "by": "field"')
  const bound = keep * TWO_TO_32
  return (line) => {
    const key = (field && toText(readField(line, field))) || (by === 'trace' ? line.traceId : '') || lineKey(line)
    return hashText(key, SAMPLE_SEED, hash).lo >>> 0 < bound ? undefined : 'sampled_out'
  }
}

function lineKey({ timeMs = 0, timeSubNs, service, host, message }: EditableLine): string {
  return `${timeMs} ${timeSubNs} ${service}\n${host}\n${message}`
}

function compileDrop(value: unknown, at: string, { faults }: ParseDeps): Step | undefined {
  return value === true ? () => 'dropped' : faults.add(at, 'must be true')
}
