import { startOf, stringOf, type Texts } from '../bytes/texts.js'
import type { Templates } from '../columns/templates.js'
import type { TextColumn } from '../columns/text-column.js'
import { foldText, type TextNeedle, textHas } from './text-has.js'

/** Folding changes no character of ASCII into another one than its small letter, and some others into ASCII. */
const IS_ASCII = /^[\0-\x7f]*$/
const NOT_ASCII = /[\x80-\xff]/g
const ESCAPED = /["\\\p{Cc}]/u
const ESCAPED_OR_NOT_ASCII = /[\\\x80-\xff]/g
/** Without a place to go on from. */
const ESCAPED_OR_NOT_ASCII_ONCE = /[\\\x80-\xff]/
const WORD = /[a-z0-9_]+/g
const IS_WORD = /^[a-z0-9_]+$/
const DIGIT = /[0-9]/
const VARIABLE_END = '\n'
const PLACEHOLDER = '\0'

/**
 * Finds the rows whose text has another one, whatever their case: one byte a row, 1 where it does. Exactly the rows for which `textHas` of the folded text
 * holds. Where texts are stored as templates, these and the variables are searched, and most texts are never put together.
 */
export function findText(column: TextColumn, needle: TextNeedle): Uint8Array {
  const { templates, variables } = column
  const canSplit =
    templates !== undefined && !templates.mayHideWords && needle.text !== '' && IS_ASCII.test(needle.text)
  const found = canSplit
    ? new SplitSearch(column, templates, variables).find(needle)
    : findInTexts(column.texts, column.rows, needle)
  return withoutAbsent(found, column)
}

/** Finds the rows whose JSON may hold the text in a string, a number or a key: all of them, and some others. */
export function mayHaveInJson(column: TextColumn, { text }: TextNeedle): Uint8Array {
  if (column.parts !== undefined && isInNoPart(column.parts, text)) return new Uint8Array(column.rows)
  const { texts, rows } = column
  const found = new Uint8Array(rows)
  const folded = foldedBytes(texts, rows)
  // Escapes and characters whose folded form is another one can hide any text.
  eachRowWith(ESCAPED_OR_NOT_ASCII, folded, texts, (row) => {
    found[row] = 1
  })
  if (IS_ASCII.test(text) && !ESCAPED.test(text))
    eachOccurrence({ folded, texts, rows }, text, (row) => {
      found[row] = 1
      return true
    })
  return withoutAbsent(found, column)
}

const NUMBER = /^[-0-9]*$/

/** Whether no key or value can have the text; so the texts need not be put together. */
function isInNoPart(parts: readonly Buffer[], text: string): boolean {
  // Integers have no bytes in the parts.
  if (NUMBER.test(text) || !IS_ASCII.test(text)) return false
  return parts.every((bytes) => {
    const folded = bytes.toString('latin1').toLowerCase()
    return !folded.includes(text) && !ESCAPED_OR_NOT_ASCII_ONCE.test(folded)
  })
}

function withoutAbsent(found: Uint8Array, { presence }: TextColumn): Uint8Array {
  if (presence !== undefined) for (let row = 0; row < found.length; row++) if (presence[row] === 0) found[row] = 0
  return found
}

/** All bytes as characters, ASCII letters as small ones. */
function foldedBytes({ bytes, ends }: Texts, count: number): string {
  return bytes.toString('latin1', 0, count === 0 ? 0 : ends[count - 1]).toLowerCase()
}

interface Haystack {
  readonly folded: string
  readonly texts: Texts
  readonly rows: number
}

function findInTexts(texts: Texts, rows: number, needle: TextNeedle): Uint8Array {
  const found = new Uint8Array(rows)
  if (needle.text === '') return found.fill(1)
  const folded = foldedBytes(texts, rows)
  if (IS_ASCII.test(needle.text))
    eachOccurrence({ folded, texts, rows }, needle.text, (row, at, start) => {
      const isFound = isInForm({ folded, start, end: texts.ends[row] as number }, needle, at)
      if (isFound) found[row] = 1
      return isFound
    })
  // Characters beyond ASCII may fold into ASCII or change what is beside them.
  eachRowWith(NOT_ASCII, folded, texts, (row) => {
    found[row] = textHas(foldText(stringOf(texts, row)), needle) ? 1 : 0
  })
  return found
}

/** Calls `visit` with each occurrence inside of one text, until it returns true for that text. */
function eachOccurrence(
  { folded, texts: { ends }, rows }: Haystack,
  text: string,
  visit: (row: number, at: number, start: number) => boolean,
): void {
  let row = 0
  for (let at = folded.indexOf(text); at >= 0; ) {
    while (row < rows && (ends[row] as number) <= at) row++
    if (row === rows) return
    const end = ends[row] as number
    const start = row === 0 ? 0 : (ends[row - 1] as number)
    const isDone = at + text.length <= end && visit(row, at, start)
    at = folded.indexOf(text, isDone ? end : at + 1)
  }
}

/** Calls `visit` once with each text in which the expression matches a single character. */
function eachRowWith(expression: RegExp, folded: string, { ends }: Texts, visit: (row: number) => void): void {
  let row = 0
  expression.lastIndex = 0
  for (let match = expression.exec(folded); match !== null; match = expression.exec(folded)) {
    while ((ends[row] as number) <= match.index) row++
    visit(row)
    expression.lastIndex = ends[row] as number
  }
}

const WORD_UNIT = /[a-z0-9_\x80-\xff]/

/** Whether the ends of an occurrence in ASCII text are as the form wants them. */
function isInForm(
  { folded, start, end }: { folded: string; start: number; end: number },
  { form, text }: TextNeedle,
  at: number,
): boolean {
  const isWord = (place: number) => WORD_UNIT.test(folded[place] as string)
  const after = at + text.length
  const opens = (form === 'phrase' || form === 'prefix') && IS_WORD.test(text[0] as string)
  const closes = (form === 'phrase' || form === 'suffix') && IS_WORD.test(text.at(-1) as string)
  return !(opens && at > start && isWord(at - 1)) && !(closes && after < end && isWord(after))
}

/** Searches texts that are stored as templates and ASCII variables. A word with digits is a variable, any other word lies in a template. */
class SplitSearch {
  readonly #column: TextColumn
  readonly #templates: Templates
  readonly #variables: () => Buffer
  #folded: string | undefined

  constructor(column: TextColumn, templates: Templates, variables: () => Buffer) {
    this.#column = column
    this.#templates = templates
    this.#variables = variables
  }

  find(needle: TextNeedle): Uint8Array {
    const { form, text } = needle
    const words = text.match(WORD) ?? []
    const isOneWord = words.length === 1 && words[0] === text
    const hasDigit = DIGIT.test(text)
    if (isOneWord && hasDigit) return this.#byVariables(needle)
    if (text.includes(PLACEHOLDER)) return new Uint8Array(this.#templates.ids.length)
    if (hasDigit) {
      const longest = words.reduce((a, b) => (b.length > a.length ? b : a))
      const inner = { form: 'substring', text: longest } as const
      return this.#verified(DIGIT.test(longest) ? this.#byVariables(inner) : this.#byBoth(inner), needle)
    }
    const found = this.#byTemplates(needle)
    if (form === 'phrase') return found
    if (isOneWord) return or(found, this.#byVariables(needle))
    // A word at an end of the text may be a part of a variable.
    const [first, last] = [/^[a-z_]+/.exec(text)?.[0], /[a-z_]+$/.exec(text)?.[0]]
    const edges = new Uint8Array(found.length)
    if (first !== undefined && form !== 'prefix') or(edges, this.#byVariables({ form: 'suffix', text: first }))
    if (last !== undefined && form !== 'suffix') or(edges, this.#byVariables({ form: 'prefix', text: last }))
    return or(found, this.#verified(edges, needle))
  }

  #byBoth(needle: TextNeedle): Uint8Array {
    return or(this.#byTemplates(needle), this.#byVariables(needle))
  }

  #byTemplates(needle: TextNeedle): Uint8Array {
    const { templates, ids } = this.#templates
    const matching = findInTexts(templates, templates.ends.length, needle)
    const found = new Uint8Array(ids.length)
    if (matching.includes(1))
      for (let row = 0; row < found.length; row++) found[row] = matching[ids[row] as number] as number
    return found
  }

  /** The rows of which a variable has a text without signs. */
  #byVariables({ form, text }: TextNeedle): Uint8Array {
    this.#folded ??= this.#variables().toString('latin1').toLowerCase()
    const folded = this.#folded
    const found = new Uint8Array(this.#templates.ids.length)
    const rows = new VariableRows(this.#templates)
    const opens = form === 'phrase' || form === 'prefix' ? VARIABLE_END : ''
    const closes = form === 'phrase' || form === 'suffix' ? VARIABLE_END : ''
    const wanted = opens + text + closes
    // So each variable lies between two line feeds.
    const source = VARIABLE_END + folded
    let ends = 0
    let counted = 0
    for (let at = source.indexOf(wanted); at >= 0; ) {
      const inside = at + opens.length
      for (; counted < inside; counted++) if (source[counted] === VARIABLE_END) ends++
      found[rows.rowOf(ends - 1)] = 1
      at = source.indexOf(wanted, source.indexOf(VARIABLE_END, inside))
    }
    return found
  }

  #verified(candidates: Uint8Array, needle: TextNeedle): Uint8Array {
    if (!candidates.includes(1)) return candidates
    const { texts } = this.#column
    for (let row = 0; row < candidates.length; row++)
      if (candidates[row] === 1 && !textHas(foldText(stringOf(texts, row)), needle)) candidates[row] = 0
    return candidates
  }
}

function or(found: Uint8Array, other: Uint8Array): Uint8Array {
  for (let row = 0; row < found.length; row++) found[row] = (found[row] as number) | (other[row] as number)
  return found
}

/** Says which row a variable belongs to; variables must be asked for in ascending order. */
class VariableRows {
  readonly #ids: Float64Array
  readonly #counts: Uint32Array
  #row = 0
  /** Variables of all rows up to this one, it included. */
  #end: number

  constructor({ templates, ids }: Templates) {
    this.#ids = ids
    this.#counts = Uint32Array.from(templates.ends, (end, id) =>
      countPlaceholders(templates.bytes, startOf(templates, id), end),
    )
    this.#end = ids.length === 0 ? 0 : this.#countOf(0)
  }

  rowOf(variable: number): number {
    while (this.#end <= variable) this.#end += this.#countOf(++this.#row)
    return this.#row
  }

  #countOf(row: number): number {
    return this.#counts[this.#ids[row] as number] as number
  }
}

function countPlaceholders(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (bytes[at] === 0) count++
  return count
}
