import { LEVEL_NAMES, LEVELS, type Level, levelOf, severityOfText } from '../records/severity.js'
import { type EditableLine, readField, toText } from './editable-line.js'
import type { RuleFaults } from './rule-faults.js'
import { ObjectReader } from './rule-reader.js'
import type { Condition, StepFailure } from './step.js'
import { type PatternEngine, PatternFault, UserPattern } from './user-pattern.js'

const MATCH_FIELDS = ['service', 'level', 'min_level', 'host', 'where'] as const
const COMPARISONS = [
  'equals',
  'in',
  'contains',
  'starts_with',
  'ends_with',
  'matches',
  'exists',
  'gt',
  'gte',
  'lt',
  'lte',
] as const
type Comparison = (typeof COMPARISONS)[number]
const CONDITIONS_MAX = 50

export interface ConditionDeps {
  readonly engine: PatternEngine
  readonly faults: RuleFaults
}

/** What `match` and `unless` of a rule ask of a line: everything in it must hold. Without anything in it every line matches. */
export function compileMatch(value: unknown, at: string, deps: ConditionDeps): Condition | undefined {
  const reader = ObjectReader.of(value, at, MATCH_FIELDS, deps.faults)
  if (reader === undefined) return undefined
  const conditions: Condition[] = []
  for (const name of ['service', 'host'] as const) {
    if (!reader.has(name)) continue
    const wanted = new Set(reader.texts(name))
    conditions.push((line) => wanted.has(line[name]))
  }
  if (reader.has('level')) {
    const wanted = new Set(reader.texts('level'))
    const unknown = [...wanted].find((level) => !LEVEL_NAMES.includes(level as Level))
    if (unknown !== undefined)
      reader.fault('level', `${unknown.slice(0, 100)} is not a level; the levels are ${LEVEL_NAMES.join(', ')}`)
    conditions.push((line) => wanted.has(levelOf(line.severity)))
  }
  if (reader.has('min_level')) {
    const level = reader.choice('min_level', LEVEL_NAMES)
    if (level !== undefined) conditions.push((line) => line.severity >= LEVELS[level])
  }
  if (reader.has('where')) conditions.push(...compileWhere(reader, deps))
  return (line, budget) => {
    for (const condition of conditions) {
      const result = condition(line, budget)
      if (result !== true) return result
    }
    return true
  }
}

function compileWhere(reader: ObjectReader, deps: ConditionDeps): Condition[] {
  const value = reader.raw('where')
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length > CONDITIONS_MAX) {
    reader.fault('where', `has ${list.length} conditions; the most are ${CONDITIONS_MAX}`)
    return []
  }
  return list.flatMap((one, index) => {
    const at = Array.isArray(value) ? `${reader.place('where')}[${index}]` : reader.place('where')
    return compileFieldCondition(one, at, deps) ?? []
  })
}

function compileFieldCondition(value: unknown, at: string, deps: ConditionDeps): Condition | undefined {
  const reader = ObjectReader.of(value, at, ['field', ...COMPARISONS], deps.faults)
  if (reader === undefined) return undefined
  const field = reader.field('field')
  const given = COMPARISONS.filter((name) => reader.has(name))
  const [comparison] = given
  if (comparison === undefined || given.length > 1)
    return deps.faults.add(at, `needs exactly one of ${COMPARISONS.join(', ')}`)
  const compare = compileComparison(comparison, reader, deps)
  if (field === undefined || compare === undefined) return undefined
  return (line, budget) => compare(readField(line, field), line, budget)
}

type Compare = (value: unknown, line: EditableLine, budget: Parameters<Condition>[1]) => boolean | StepFailure

function compileComparison(name: Comparison, reader: ObjectReader, { engine }: ConditionDeps): Compare | undefined {
  switch (name) {
    case 'equals': {
      const wanted = reader.raw(name)
      if (typeof wanted === 'object') return reader.fault(name, 'must be a text, a number, true or false')
      return (value) => value === wanted || (value !== undefined && toText(value) === toText(wanted))
    }
    case 'in': {
      const wanted = new Set(reader.texts(name))
      return (value) => value !== undefined && wanted.has(toText(value))
    }
    case 'contains':
    case 'starts_with':
    case 'ends_with': {
      const text = reader.text(name)
      if (text === undefined) return undefined
      const method = ({ contains: 'includes', starts_with: 'startsWith', ends_with: 'endsWith' } as const)[name]
      return (value) => value !== undefined && toText(value)[method](text)
    }
    case 'matches': {
      const pattern = readPattern(reader, name, engine)
      if (pattern === undefined) return undefined
      return (value, _line, budget) => {
        if (value === undefined) return false
        const result = pattern.test(toText(value), budget)
        return typeof result === 'string' ? { failure: result } : result
      }
    }
    case 'exists': {
      const isWanted = reader.raw(name)
      if (typeof isWanted !== 'boolean') return reader.fault(name, 'must be true or false')
      return (value) => (value !== undefined) === isWanted
    }
    default:
      return compileOrder(name, reader)
  }
}

/** Levels are compared by their severity: `{field: level, gte: warn}`. */
function compileOrder(name: 'gt' | 'gte' | 'lt' | 'lte', reader: ObjectReader): Compare | undefined {
  const raw = reader.raw(name)
  const isLevel = reader.raw('field') === 'level'
  const bound = isLevel ? LEVELS[raw as Level] : raw
  if (typeof bound !== 'number')
    return reader.fault(name, isLevel ? `must be one of ${LEVEL_NAMES.join(', ')}` : 'must be a number')
  return (value, line) => {
    const number = isLevel ? LEVELS[levelOf(line.severity)] : toNumber(value)
    if (number === undefined) return false
    if (name === 'gt') return number > bound
    if (name === 'gte') return number >= bound
    return name === 'lt' ? number < bound : number <= bound
  }
}

function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  if (typeof value !== 'string' || value === '' || value.length > 40) return undefined
  const number = Number(value)
  return Number.isNaN(number) ? undefined : number
}

/** A pattern of RE2 in a field of the document. */
export function readPattern(reader: ObjectReader, name: string, engine: PatternEngine): UserPattern | undefined {
  const source = reader.text(name, 4096)
  if (source === undefined) return undefined
  try {
    return new UserPattern(source, engine)
  } catch (error) {
    if (error instanceof PatternFault) return reader.fault(name, error.message, error.position)
    throw error
  }
}

/** The severity number of the name of a level, or of a severity number from 0 to 24 itself; undefined when it is neither. */
export function readSeverity(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value <= 24 ? value : undefined
  if (typeof value !== 'string') return undefined
  if (value === 'unknown') return 0
  return severityOfText(value) || undefined
}
