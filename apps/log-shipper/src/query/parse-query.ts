import { checkTerm } from './check-term.js'
import { invalidQuery } from './query-errors.js'
import { QueryScanner } from './query-scanner.js'
import type { Match, QueryNode } from './query-tree.js'

/** Limits of a query, so that no query costs much to parse or to evaluate. */
export const QUERY_LIMITS = { characters: 4096, terms: 100, depth: 32 } as const

/**
 * Parses a query; see docs/reference/log-query.md for the language. An empty text matches all lines.
 * @throws LOG_QUERY_INVALID for any text that is not a query, and nothing else
 */
export function parseQuery(text: string): QueryNode {
  if (text.length > QUERY_LIMITS.characters)
    throw invalidQuery({
      position: QUERY_LIMITS.characters,
      problem: `the query has ${text.length} characters, and at most ${QUERY_LIMITS.characters} are possible`,
    })
  const parser = new Parser(text)
  return parser.whole()
}

/** A field whose name and colon stand before the values to which it applies. */
type Field = readonly string[] | undefined

class Parser {
  readonly #scanner: QueryScanner
  #terms = 0
  #depth = 0

  constructor(text: string) {
    this.#scanner = new QueryScanner(text)
  }

  whole(): QueryNode {
    const scanner = this.#scanner
    scanner.skipSpaces()
    if (scanner.isAtEnd) return { kind: 'all' }
    const node = this.#or(undefined)
    if (!scanner.isAtEnd)
      throw invalidQuery({
        position: scanner.at,
        problem: 'there is no opening parenthesis for this one',
        suggestion: 'remove it, or write \\) for the character itself',
      })
    return node
  }

  #or(field: Field): QueryNode {
    return this.#list(
      'or',
      () => this.#and(field),
      () => this.#scanner.takeKeyword('OR'),
    )
  }

  #and(field: Field): QueryNode {
    return this.#list(
      'and',
      () => this.#not(field),
      () => this.#scanner.takeKeyword('AND') || this.#beginsOperand(),
    )
  }

  /** Lists of the same kind in each other are one list, as far as no parentheses are written. */
  #list(kind: 'and' | 'or', operand: () => QueryNode, takeNext: () => boolean): QueryNode {
    const nodes = [operand()]
    for (this.#scanner.skipSpaces(); takeNext(); this.#scanner.skipSpaces()) nodes.push(operand())
    return nodes.length === 1 ? (nodes[0] as QueryNode) : { kind, nodes }
  }

  /** Whether another condition follows without AND between. */
  #beginsOperand(): boolean {
    const scanner = this.#scanner
    if (scanner.isAtEnd || scanner.peek() === ')') return false
    const { at } = scanner
    const isOr = scanner.takeKeyword('OR')
    scanner.at = at
    return !isOr
  }

  #not(field: Field): QueryNode {
    const scanner = this.#scanner
    scanner.skipSpaces()
    const start = scanner.at
    // The values of a field may be negative numbers.
    const isMinus = field === undefined && scanner.peek() === '-' && /[^\s)-]/.test(scanner.peek(1))
    if (isMinus) scanner.at++
    if (isMinus || scanner.takeKeyword('NOT')) return { kind: 'not', node: this.#nested(start, () => this.#not(field)) }
    if (!scanner.take('(')) return this.#term(field)
    return this.#parenthesis(start, field)
  }

  #parenthesis(start: number, field: Field): QueryNode {
    const scanner = this.#scanner
    scanner.skipSpaces()
    if (scanner.peek() === ')') throw invalidQuery({ position: start, problem: 'there is nothing in the parentheses' })
    const node = this.#nested(start, () => this.#or(field))
    if (!scanner.take(')'))
      throw invalidQuery({
        position: start,
        problem: 'the parenthesis is never closed',
        suggestion: 'add ) at the end',
      })
    return node
  }

  #nested(position: number, parse: () => QueryNode): QueryNode {
    if (++this.#depth > QUERY_LIMITS.depth)
      throw invalidQuery({ position, problem: `conditions are nested more than ${QUERY_LIMITS.depth} deep` })
    const node = parse()
    this.#depth--
    return node
  }

  #term(outer: Field): QueryNode {
    const scanner = this.#scanner
    const start = scanner.at
    if (scanner.isAtEnd)
      throw invalidQuery({
        position: start,
        problem: 'a condition is missing at the end',
        suggestion: 'add one, or remove AND, OR or NOT',
      })
    for (const keyword of ['AND', 'OR'] as const)
      if (scanner.takeKeyword(keyword))
        throw invalidQuery({
          position: start,
          problem: `there is no condition before ${keyword}`,
          suggestion: `put the word in quotation marks to search for it: "${keyword}"`,
        })
    const field = this.#field()
    if (field === undefined) return this.#match(outer, start)
    if (outer !== undefined)
      throw invalidQuery({
        position: start,
        problem: 'the values of a field cannot have a field of their own',
        suggestion: 'put a text with a colon in quotation marks',
      })
    return this.#fieldValue(field, start)
  }

  /** The name of a field with a colon or a comparison behind it, which are not taken; undefined when none comes next. */
  #field(): readonly string[] | undefined {
    const scanner = this.#scanner
    const start = scanner.at
    if (scanner.peek() === '/' || scanner.peek() === '*') return undefined
    const isNamed = scanner.peek() === '"' || /[\p{L}_@$]/u.test(scanner.peek())
    const parts: string[] = []
    for (let continues = true; continues; ) {
      if (scanner.peek() === '"') {
        parts.push(scanner.quoted())
        continues = scanner.take('.')
      } else {
        const word = scanner.word()
        continues = scanner.peek() === '"' && word.endsWith('.')
        parts.push(...(continues ? word.slice(0, -1) : word).split('.'))
      }
    }
    if (!/^(?:[:<>=]|!=)/.test(scanner.text.slice(scanner.at, scanner.at + 2))) {
      scanner.at = start
      return undefined
    }
    if (isNamed && parts.every((part) => part !== '')) return parts
    throw invalidQuery({
      position: start,
      problem: `there is no name of a field before ${scanner.peek()}`,
      suggestion: 'names begin with a letter; put other names, and texts with this character, in quotation marks',
    })
  }

  #fieldValue(field: readonly string[], start: number): QueryNode {
    const scanner = this.#scanner
    scanner.take(':')
    const operator = scanner.takeOperator()
    scanner.skipSpaces()
    const valueStart = scanner.at
    if (operator !== undefined) {
      const value = scanner.peek() === '"' ? scanner.quoted() : scanner.word()
      if (scanner.at === valueStart)
        throw invalidQuery({
          position: valueStart,
          problem: `there is no value after ${operator}`,
          suggestion: 'write "" for an empty text',
        })
      this.#expectEndOfTerm(start)
      const match: Match = { kind: 'compare', operator: operator === '!=' ? '=' : operator, value }
      const term = this.#add(field, match, start)
      return operator === '!=' ? { kind: 'not', node: term } : term
    }
    if (scanner.take('(')) return this.#parenthesis(valueStart, field)
    if (scanner.isAtEnd || scanner.peek() === ')')
      throw invalidQuery({
        position: valueStart,
        problem: `the field ${field.join('.')} has no value`,
        suggestion: 'write * for any value',
      })
    return this.#match(field, start)
  }

  #match(field: Field, start: number): QueryNode {
    const scanner = this.#scanner
    const valueStart = scanner.at
    if (scanner.peek() === '/') {
      const regex = scanner.regex()
      this.#expectEndOfTerm(start)
      return this.#add(field, { kind: 'regex', ...regex }, start)
    }
    if (scanner.take('*')) return this.#afterStar(field, start)
    const text = scanner.peek() === '"' ? scanner.quoted() : scanner.word()
    if (scanner.at === valueStart)
      throw invalidQuery({
        position: valueStart,
        problem: `the character ${scanner.peek()} cannot stand here`,
        suggestion: 'put the text in quotation marks to search for it',
      })
    const isPrefix = scanner.take('*')
    this.#expectEndOfTerm(start)
    return this.#add(field, { kind: 'words', text, isPrefix }, start)
  }

  /** `*` alone is any value, `*text*` a part of one. */
  #afterStar(field: Field, start: number): QueryNode {
    const scanner = this.#scanner
    const textStart = scanner.at
    const text = scanner.peek() === '"' ? scanner.quoted() : scanner.word()
    if (scanner.at === textStart) {
      this.#expectEndOfTerm(start)
      return field === undefined ? { kind: 'all' } : this.#add(field, { kind: 'exists' }, start)
    }
    if (!scanner.take('*'))
      throw invalidQuery({
        position: start,
        problem: 'a * at the beginning of a text needs another one at its end',
        suggestion: `write *${scanner.text.slice(textStart, scanner.at)}* for a part of a text`,
      })
    this.#expectEndOfTerm(start)
    return this.#add(field, { kind: 'substring', text }, start)
  }

  #expectEndOfTerm(start: number): void {
    const next = this.#scanner.peek()
    if (next === '' || next === ')' || /\s/.test(next)) return
    throw invalidQuery({
      position: this.#scanner.at,
      problem: `the character ${next} cannot stand directly after a text`,
      suggestion:
        this.#scanner.text[this.#scanner.at - 1] === '*'
          ? 'a * stands only at the end of a word (pay*) or around a part of a text (*ay*); use a regular expression such as /a.*b/ for more'
          : `put ${this.#scanner.text.slice(start, this.#scanner.at + 1)}… in quotation marks, or add a space`,
    })
  }

  #add(field: Field, match: Match, position: number): QueryNode {
    if (++this.#terms > QUERY_LIMITS.terms)
      throw invalidQuery({ position, problem: `the query has more than ${QUERY_LIMITS.terms} conditions` })
    const term = { kind: 'term', field, match } as const
    checkTerm(term, position)
    return term
  }
}
