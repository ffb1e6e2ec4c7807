import { foldText, textHas } from '@millrace/column-store'
import { flagNames } from '../records/log-record.js'
import { levelIndex } from '../records/severity.js'
import { parseLevel } from './check-term.js'
import { compileRegex } from './linear-regex.js'
import { type QueryLine, type Scalar, scalarsIn, valuesAt } from './query-line.js'
import { type LineField, type Match, type Operator, type QueryTerm, resolveField } from './query-tree.js'

type Test = (line: QueryLine) => boolean

/** A test of one term. */
export function compileTerm({ field, match }: QueryTerm): Test {
  if (field === undefined) return anyTextTest(match)
  const target = resolveField(field)
  return target.kind === 'line' ? lineTest(target.name, match) : attributeTest(target.path, match)
}

function anyTextTest(match: Match): Test {
  const test = textTest(match)
  if (test.isFolded)
    return (line) => test.holds(line.foldedMessage) || line.foldedValues.some((text) => test.holds(text))
  return (line) => test.holds(line.row.message) || line.values.some((text) => test.holds(text))
}

/** A test of a text; `isFolded` says in which form it takes the text. */
interface TextTest {
  readonly isFolded: boolean
  holds(text: string): boolean
}

function textTest(match: Match): TextTest {
  switch (match.kind) {
    case 'words': {
      const wanted = { form: match.isPrefix ? 'prefix' : 'phrase', text: foldText(match.text) } as const
      return { isFolded: true, holds: (text) => textHas(text, wanted) }
    }
    case 'substring': {
      const wanted = foldText(match.text)
      return { isFolded: true, holds: (text) => text.includes(wanted) }
    }
    case 'regex': {
      const regex = compileRegex(match)
      return { isFolded: false, holds: (text) => regex.test(text) }
    }
    case 'exists':
      return { isFolded: false, holds: (text) => text !== '' }
    case 'compare': {
      const wanted = toComparable(match.value)
      return { isFolded: false, holds: (text) => compares(text, match.operator, wanted) }
    }
  }
}

function lineTest(name: LineField, match: Match): Test {
  switch (name) {
    case 'level':
      return levelTest(match)
    case 'severity':
      return severityTest(match)
    case 'trace_id':
    case 'span_id': {
      const test = nameTest(lowerCase(match))
      const column = name === 'trace_id' ? 'traceId' : 'spanId'
      return ({ row }) => test(row[column])
    }
    case 'flags': {
      const wanted = match.kind === 'words' ? match.text : match.kind === 'compare' ? match.value : undefined
      return ({ row }) => (wanted === undefined ? row.flags !== 0 : flagNames(row.flags).includes(wanted))
    }
    case 'message': {
      const test = textTest(match)
      return (line) => test.holds(test.isFolded ? line.foldedMessage : line.row.message)
    }
    case 'service':
    case 'host':
    case 'severity_text': {
      const test = nameTest(match)
      const column = name === 'severity_text' ? 'severityText' : name
      return ({ row }) => test(row[column])
    }
  }
}

/** Names and ids are equal as a whole, capital letters included. A prefix is that of the whole name. */
function nameTest(match: Match): (text: string) => boolean {
  if (match.kind === 'words') {
    const { text: wanted, isPrefix } = match
    return isPrefix ? (text) => text.startsWith(wanted) : (text) => text === wanted
  }
  const test = textTest(match)
  return test.isFolded ? (text) => test.holds(foldText(text)) : (text) => test.holds(text)
}

function lowerCase(match: Match): Match {
  if (match.kind === 'words') return { ...match, text: match.text.toLowerCase() }
  return match.kind === 'compare' ? { ...match, value: match.value.toLowerCase() } : match
}

function levelTest(match: Match): Test {
  const mask = levelsOf(match)
  return ({ row }) => ((mask >> levelIndex(row.severity)) & 1) !== 0
}

const LEVELS = 7
export const ALL_LEVELS = (1 << LEVELS) - 1

/** A bit for each level that fulfils a condition on the level, by `levelIndex`. */
export function levelsOf(match: Match): number {
  // `level:*` is every line whose level is known.
  if (match.kind === 'exists') return ALL_LEVELS & ~1
  const wanted = parseLevel(match.kind === 'compare' ? match.value : match.kind === 'words' ? match.text : '') ?? 0
  const operator = match.kind === 'compare' ? match.operator : '='
  let mask = 0
  for (let index = 0; index < LEVELS; index++) if (holds(operator, index - wanted)) mask |= 1 << index
  return mask
}

function severityTest(match: Match): Test {
  if (match.kind === 'exists') return ({ row }) => row.severity !== 0
  const wanted = Number(match.kind === 'compare' ? match.value : match.kind === 'words' ? match.text : '')
  const operator = match.kind === 'compare' ? match.operator : '='
  return ({ row }) => holds(operator, row.severity - wanted)
}

function attributeTest(path: readonly string[], match: Match): Test {
  if (match.kind === 'exists') return (line) => mayHaveKey(line, path) && valuesAt(line.attributes, path).length > 0
  if (match.kind === 'compare') {
    const wanted = toComparable(match.value)
    return (line) =>
      mayHaveKey(line, path) && scalarsAt(line, path).some((value) => compares(value, match.operator, wanted))
  }
  const test = textTest(match)
  return (line) =>
    mayHaveKey(line, path) &&
    scalarsAt(line, path).some((value) => test.holds(test.isFolded ? foldText(String(value)) : String(value)))
}

const PLAIN_KEY = /^[\w-]+$/

/** Most lines do not have the attribute: then their JSON does not have to be parsed. */
function mayHaveKey({ row }: QueryLine, path: readonly string[]): boolean {
  const key = path.at(-1) as string
  return !PLAIN_KEY.test(key) || row.attributesJson.includes(key)
}

function scalarsAt(line: QueryLine, path: readonly string[]): Scalar[] {
  return valuesAt(line.attributes, path).flatMap(scalarsIn)
}

/** The value of a comparison, as text and as the number that the text is. */
interface Comparable {
  readonly text: string
  readonly number: number | undefined
}

const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?$/i
const INTEGER = /^-?\d+$/

export function toComparable(text: string): Comparable {
  return { text, number: NUMBER.test(text) ? Number(text) : undefined }
}

/** Numbers are compared as numbers, also when the attribute holds one as text; other texts by code point. */
function compares(value: Scalar, operator: Operator, wanted: Comparable): boolean {
  const text = String(value)
  if (operator === '=' && text === wanted.text) return true
  if (wanted.number !== undefined) {
    const number = typeof value === 'number' ? value : toComparable(text).number
    if (number === undefined || typeof value === 'boolean') return false
    // Integers beyond 2^53 come as texts, and would be equal as doubles.
    if (!Number.isSafeInteger(number) && INTEGER.test(text) && INTEGER.test(wanted.text))
      return holds(operator, compareBigints(BigInt(text), BigInt(wanted.text)))
    if (operator === '=' && typeof value !== 'number') return false
    return holds(operator, number - wanted.number)
  }
  return (
    operator !== '=' &&
    typeof value === 'string' &&
    holds(operator, Buffer.compare(Buffer.from(text), Buffer.from(wanted.text)))
  )
}

function compareBigints(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function holds(operator: Operator, difference: number): boolean {
  switch (operator) {
    case '=':
      return difference === 0
    case '<':
      return difference < 0
    case '<=':
      return difference <= 0
    case '>':
      return difference > 0
    case '>=':
      return difference >= 0
  }
}
