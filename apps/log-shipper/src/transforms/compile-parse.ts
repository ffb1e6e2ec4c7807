import { createNotes } from '../fields/decode-notes.js'
import { recordOfFields } from '../fields/log-fields.js'
import { createMembers, type Members } from '../fields/member-adder.js'
import type { LogRecord } from '../records/log-record.js'
import { compileGrok } from './compile-grok.js'
import { type ConditionDeps, readPattern } from './condition.js'
import { type EditableLine, type FieldPath, readField, removeField, toText, writeField } from './editable-line.js'
import { type PairSeparators, type ParsedText, parseJsonText, parseLogfmt, parsePairs } from './parse-text.js'
import { ObjectReader, parseField } from './rule-reader.js'
import type { Step, StepFailure } from './step.js'
import { WROTE_TOO_MUCH } from './template.js'
import { PatternFault, UserPattern } from './user-pattern.js'
import type { WorkBudget } from './work-budget.js'

const FORMATS = ['json', 'logfmt', 'key_value', 'regex', 'grok'] as const
const FIELDS = [
  'field',
  'as',
  'pattern',
  'pair_separator',
  'value_separator',
  'into',
  'lift',
  'optional',
  'remove_source',
]
const TEXT_LENGTH_MAX = 1_048_576

export interface ParseDeps extends ConditionDeps {
  /** Patterns for grok that the document defines. */
  readonly ownPatterns: Readonly<Record<string, string>>
}

type ParseText = (text: string, budget: WorkBudget) => ParsedText

/**
 * The step `parse`: reads fields out of a text. They become attributes, or members of the attribute `into`. With `lift` those that loggers usually
 * write (time, level, msg, service, trace_id ...) become the fields of the line.
 */
export function compileParse(value: unknown, at: string, deps: ParseDeps): Step | undefined {
  const reader = ObjectReader.of(value, at, FIELDS, deps.faults)
  if (reader === undefined) return undefined
  const field = reader.field('field')
  const parse = compileFormat(reader, deps)
  const into = reader.has('into') ? reader.field('into', { isWritten: true }) : undefined
  if (into !== undefined && into.kind !== 'attribute')
    return reader.fault('into', 'must be an attribute, such as attributes.http')
  const isLifted = reader.flag('lift')
  if (isLifted && into !== undefined) return reader.fault('lift', 'cannot be used together with into')
  const isOptional = reader.flag('optional')
  const isRemoved = reader.flag('remove_source')
  if (field === undefined || parse === undefined) return undefined
  return (line, budget) => {
    const text = toText(readField(line, field))
    const parsed = text.length > TEXT_LENGTH_MAX ? TOO_LONG : parse(text, budget)
    if (typeof parsed === 'string') return isOptional ? undefined : { failure: parsed }
    if (!budget.takeWrite(text.length)) return WROTE_TOO_MUCH
    // First, since what is parsed may have a field with the name of its source.
    if (isRemoved) removeField(line, field)
    return isLifted ? lift(line, parsed) : add(line, parsed, into)
  }
}

const TOO_LONG = `the text is longer than ${TEXT_LENGTH_MAX} characters`

function compileFormat(reader: ObjectReader, deps: ParseDeps): ParseText | undefined {
  const format = reader.choice('as', FORMATS)
  const needsPattern = format === 'regex' || format === 'grok'
  if (!needsPattern && reader.has('pattern')) reader.fault('pattern', 'is only for regex and grok')
  for (const name of ['pair_separator', 'value_separator'])
    if (format !== 'key_value' && reader.has(name)) reader.fault(name, 'is only for key_value')
  if (format === 'json') return parseJsonText
  if (format === 'logfmt') return parseLogfmt
  if (format === 'key_value') return compilePairs(reader)
  if (format === 'regex') return compileRegex(reader, deps)
  return format === undefined ? undefined : compileGrokFormat(reader, deps)
}

function compilePairs(reader: ObjectReader): ParseText | undefined {
  const pair = reader.has('pair_separator') ? reader.text('pair_separator', 16) : ' '
  const value = reader.has('value_separator') ? reader.text('value_separator', 16) : '='
  if (pair === undefined || value === undefined) return undefined
  const separators: PairSeparators = { pair, value }
  return (text) => parsePairs(text, separators)
}

function compileRegex(reader: ObjectReader, { engine }: ParseDeps): ParseText | undefined {
  const pattern = readPattern(reader, 'pattern', engine)
  if (pattern === undefined) return undefined
  if (pattern.groups.every((name) => name === undefined))
    return reader.fault('pattern', 'needs at least one group with a name: (?P<name>…)')
  return (text, budget) =>
    collect(pattern, { text, budget }, (members, name, found) => {
      members[name] = found
    })
}

function compileGrokFormat(reader: ObjectReader, { engine, ownPatterns }: ParseDeps): ParseText | undefined {
  const source = reader.text('pattern', 4096)
  if (source === undefined) return undefined
  try {
    const { source: expanded, fields } = compileGrok(source, ownPatterns)
    const pattern = new UserPattern(expanded, engine)
    if (pattern.groups.every((name) => name === undefined))
      return reader.fault('pattern', 'needs at least one field: %{NAME:field}')
    return (text, budget) =>
      collect(pattern, { text, budget }, (members, group, found) => {
        const { name, type } = fields.get(group) ?? { name: group, type: 'text' }
        // Of alternatives with the same field one has a text.
        members[name] = type === 'text' ? found : toNumber(found)
      })
  } catch (error) {
    if (error instanceof PatternFault) return reader.fault('pattern', error.message, error.position)
    throw error
  }
}

/** Digits that a double cannot hold stay a text. */
function toNumber(text: string): number | string {
  const number = Number(text)
  return Number.isFinite(number) && (Number.isSafeInteger(number) || /[.eE]/.test(text)) ? number : text
}

function collect(
  pattern: UserPattern,
  { text, budget }: { readonly text: string; readonly budget: WorkBudget },
  add: (members: Members, name: string, found: string) => void,
): ParsedText {
  const groups = pattern.exec(text, budget)
  if (groups === null) return 'the text does not match the pattern'
  if (typeof groups === 'string') return groups
  const members = createMembers()
  for (const [index, found] of groups.entries()) {
    const name = pattern.groups[index]
    if (name !== undefined && found !== undefined) add(members, name, found)
  }
  return members
}

/** Groups and keys with the name of a text of the line, such as `message`, become that field; all others are attributes. */
function add(line: EditableLine, parsed: Members, into: FieldPath | undefined): undefined {
  if (into !== undefined) {
    const before = readField(line, into)
    const isObject = typeof before === 'object' && before !== null && !Array.isArray(before)
    writeField(line, into, isObject ? Object.assign(createMembers(), before, parsed) : parsed)
    return undefined
  }
  for (const name in parsed) {
    const value = parsed[name]
    const own = typeof value === 'string' ? parseField(name) : ''
    if (typeof own !== 'string' && own.kind === 'text') writeField(line, own, value)
    else line.attributes[name] = value
  }
  return undefined
}

function lift(line: EditableLine, parsed: Members): StepFailure | undefined {
  const { attributes, flags, ...found } = recordOfFields(parsed, createNotes())
  const present = Object.entries(found).filter(([key, value]) => isPresent(key as keyof LogRecord, value))
  Object.assign(line, Object.fromEntries(present))
  if (found.timeMs !== undefined) line.timeSubNs = found.timeSubNs
  Object.assign(line.attributes, attributes)
  line.flags |= flags
  return undefined
}

/** What the text does not say stays as it was. */
function isPresent(key: keyof LogRecord, value: unknown): boolean {
  return key !== 'timeSubNs' && key !== 'originalBytes' && value !== undefined && value !== '' && value !== 0
}
