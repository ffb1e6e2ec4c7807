import { foldText, wordsOf } from '@millrace/column-store'
import type { CompiledQuery, LogRow, Need } from '../search/compiled-query.js'
import { literalOf } from './linear-regex.js'
import { ALL_LEVELS, compileTerm, levelsOf, toComparable } from './match-term.js'
import { QueryLine } from './query-line.js'
import { type Match, type QueryNode, type QueryTerm, resolveField } from './query-tree.js'

/** What a query asks for, besides the range of times. */
export type CompiledConditions = Pick<CompiledQuery, 'levels' | 'needs' | 'matches'> & {
  /** The line has one of these services; undefined: any. */
  readonly services: readonly string[] | undefined
}

/** Makes the conditions of a query that `parseQuery` accepted: what the store can use to leave out lines, and the exact test of what remains. */
export function compileQuery(node: QueryNode): CompiledConditions {
  const { levels, services, need, isExact } = imply(node)
  return { levels, services, needs: need, matches: isExact ? undefined : compilePredicate(node) }
}

/** The exact test of a query. */
export function compilePredicate(node: QueryNode): (row: LogRow) => boolean {
  const test = compileNode(node)
  return (row) => test(new QueryLine(row))
}

function compileNode(node: QueryNode): (line: QueryLine) => boolean {
  switch (node.kind) {
    case 'all':
      return () => true
    case 'and': {
      const tests = node.nodes.map(compileNode)
      return (line) => tests.every((test) => test(line))
    }
    case 'or': {
      const tests = node.nodes.map(compileNode)
      return (line) => tests.some((test) => test(line))
    }
    case 'not': {
      const test = compileNode(node.node)
      return (line) => !test(line)
    }
    case 'term':
      return compileTerm(node)
  }
}

/** Conditions that each matching line fulfils. Exact: a line that fulfils them matches. */
interface Implied {
  readonly levels: number
  readonly services: readonly string[] | undefined
  readonly need: Need | undefined
  readonly isExact: boolean
}

const ANYTHING: Implied = { levels: ALL_LEVELS, services: undefined, need: undefined, isExact: true }

function imply(node: QueryNode): Implied {
  switch (node.kind) {
    case 'all':
      return ANYTHING
    case 'and':
      return node.nodes.map(imply).reduce(both)
    case 'or':
      return either(node.nodes.map(imply))
    case 'not': {
      const { levels, services, need, isExact } = imply(node.node)
      const isOnLevels = isExact && services === undefined && need === undefined
      return isOnLevels ? { ...ANYTHING, levels: ALL_LEVELS & ~levels } : { ...ANYTHING, isExact: false }
    }
    case 'term':
      return implyTerm(node)
  }
}

function both(a: Implied, b: Implied): Implied {
  const needs = [a.need, b.need].filter((need) => need !== undefined)
  const bServices = b.services
  return {
    levels: a.levels & b.levels,
    services:
      a.services === undefined || bServices === undefined
        ? (a.services ?? bServices)
        : a.services.filter((service) => bServices.includes(service)),
    need: needs.length === 2 ? { kind: 'all', of: needs } : needs[0],
    isExact: a.isExact && b.isExact,
  }
}

/** Exact only if the alternatives differ in one respect: the levels and services of different alternatives would else be mixed. */
function either(alternatives: readonly Implied[]): Implied {
  const needs = alternatives.flatMap(({ need }) => need ?? [])
  const services = alternatives.map((one) => one.services)
  const respects = [
    alternatives.some(({ levels }) => levels !== ALL_LEVELS),
    services.some((one) => one !== undefined),
    needs.length > 0,
  ].filter(Boolean).length
  const haveServices = services.every((one) => one !== undefined)
  const haveNeeds = needs.length === alternatives.length
  return {
    levels: alternatives.reduce((mask, { levels }) => mask | levels, 0),
    services: haveServices ? [...new Set(services.flat())] : undefined,
    need: haveNeeds ? { kind: 'any', of: needs } : undefined,
    isExact:
      respects <= 1 &&
      alternatives.every(({ isExact }) => isExact) &&
      (needs.length === 0 || haveNeeds) &&
      (haveServices || services.every((one) => one === undefined)),
  }
}

function implyTerm({ field, match }: QueryTerm): Implied {
  if (field === undefined) return implyText(match, undefined)
  const target = resolveField(field)
  if (target.kind === 'attribute') return { ...ANYTHING, need: attributeNeed(target.path, match), isExact: false }
  const value = equalValue(match)
  switch (target.name) {
    case 'level':
      return { ...ANYTHING, levels: levelsOf(match) }
    case 'message':
      return implyText(match, 'message')
    case 'service':
      return value === undefined ? { ...ANYTHING, isExact: false } : { ...ANYTHING, services: [value] }
    case 'host':
    case 'trace_id':
    case 'span_id': {
      if (value === undefined) return { ...ANYTHING, isExact: false }
      const column = target.name === 'host' ? 'host' : target.name === 'trace_id' ? 'traceId' : 'spanId'
      return { ...ANYTHING, need: { kind: 'equals', column, value: column === 'host' ? value : value.toLowerCase() } }
    }
    default:
      return { ...ANYTHING, isExact: false }
  }
}

/** The value that a name or an id must be equal to; undefined for other conditions. */
function equalValue(match: Match): string | undefined {
  if (match.kind === 'words' && !match.isPrefix) return match.text
  return match.kind === 'compare' && match.operator === '=' ? match.value : undefined
}

function implyText(match: Match, where: 'message' | undefined): Implied {
  const place = where === undefined ? {} : { in: where }
  switch (match.kind) {
    case 'words':
      return {
        ...ANYTHING,
        need: { kind: 'text', form: match.isPrefix ? 'prefix' : 'phrase', text: foldText(match.text), ...place },
      }
    case 'substring':
      return { ...ANYTHING, need: { kind: 'text', form: 'substring', text: foldText(match.text), ...place } }
    case 'regex': {
      const literal = literalOf(match)
      const need =
        literal === undefined
          ? undefined
          : ({ kind: 'text', form: 'substring', text: foldText(literal), ...place } as const)
      return { ...ANYTHING, need, isExact: false }
    }
    default:
      return { ...ANYTHING, isExact: false }
  }
}

/** What a line with such an attribute has: the words of the key, and of the value as far as its text is known. */
function attributeNeed(path: readonly string[], match: Match): Need | undefined {
  const needs: Need[] = path
    .filter((part) => PLAIN_KEY.test(part))
    .flatMap(wordsOf)
    .map((token) => ({ kind: 'token', token }))
  const text = attributeText(match)
  if (text !== undefined) needs.push(text)
  return needs.length === 0 ? undefined : { kind: 'all', of: needs }
}

/** Keys that JSON does not escape. */
const PLAIN_KEY = /^[\w.-]+$/

function attributeText(match: Match): Need | undefined {
  const place = { kind: 'text', in: 'attributes' } as const
  if (match.kind === 'words')
    return { ...place, form: match.isPrefix ? 'prefix' : 'phrase', text: foldText(match.text) }
  if (match.kind === 'substring') return { ...place, form: 'substring', text: foldText(match.text) }
  if (match.kind === 'regex') {
    const literal = literalOf(match)
    return literal === undefined ? undefined : { ...place, form: 'substring', text: foldText(literal) }
  }
  if (match.kind !== 'compare' || match.operator !== '=' || match.value === '') return undefined
  const { text, number } = toComparable(match.value)
  const texts = number === undefined ? [text] : [...new Set([text, String(number)])]
  // The same integer may be written with zeros in front when it is beyond 2^53.
  if (number !== undefined && !Number.isSafeInteger(number)) return undefined
  return { kind: 'any', of: texts.map((one): Need => ({ ...place, form: 'substring', text: foldText(one) })) }
}
