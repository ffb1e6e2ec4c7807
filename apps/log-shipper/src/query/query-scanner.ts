import { invalidQuery } from './query-errors.js'
import type { Operator } from './query-tree.js'

const SPACE = /\s/
/** Characters that end a word. A backslash before one makes it part of the word. */
const ENDS_WORD = /[\s()":<>=*]/
const OPERATORS = ['>=', '<=', '!=', '>', '<', '='] as const

/** Reads the parts of a query from left to right. */
export class QueryScanner {
  readonly text: string
  at = 0

  constructor(text: string) {
    this.text = text
  }

  get isAtEnd(): boolean {
    return this.at >= this.text.length
  }

  peek(offset = 0): string {
    return this.text[this.at + offset] ?? ''
  }

  skipSpaces(): void {
    while (!this.isAtEnd && SPACE.test(this.peek())) this.at++
  }

  /** Takes the text if it comes next. */
  take(wanted: string): boolean {
    if (!this.text.startsWith(wanted, this.at)) return false
    this.at += wanted.length
    return true
  }

  /** Takes AND, OR or NOT if it comes next, as a word of its own. */
  takeKeyword(keyword: 'AND' | 'OR' | 'NOT'): boolean {
    if (!this.text.startsWith(keyword, this.at)) return false
    const after = this.peek(keyword.length)
    if (after !== '' && !SPACE.test(after) && after !== '(' && after !== ')' && after !== '"') return false
    this.at += keyword.length
    return true
  }

  /** A comparison that comes next. `!=` is the opposite of `=`. */
  takeOperator(): Operator | '!=' | undefined {
    return OPERATORS.find((operator) => this.take(operator))
  }

  /** A word without quotation marks; '' when none comes next. */
  word(): string {
    let word = ''
    while (!this.isAtEnd) {
      const character = this.peek()
      if (character === '\\') {
        const escaped = this.peek(1)
        if (escaped === '')
          throw invalidQuery({
            position: this.at,
            problem: 'there is nothing after the backslash',
            suggestion: 'write \\\\ for a backslash',
          })
        word += escaped
        this.at += 2
        continue
      }
      if (ENDS_WORD.test(character) || (character === '!' && this.peek(1) === '=')) break
      word += character
      this.at++
    }
    return word
  }

  /** A text in quotation marks, the first of which comes next. `\"` and `\\` stand for a quotation mark and a backslash. */
  quoted(): string {
    const start = this.at
    let text = ''
    for (this.at++; !this.isAtEnd; this.at++) {
      const character = this.peek()
      if (character === '"') {
        this.at++
        return text
      }
      const isEscape = character === '\\' && (this.peek(1) === '"' || this.peek(1) === '\\')
      if (isEscape) this.at++
      text += this.peek()
    }
    throw invalidQuery({
      position: start,
      problem: 'the quotation mark is never closed',
      suggestion: 'add " at the end of the text, or write \\" for the character itself',
    })
  }

  /** The source of a regular expression between slashes, the first of which comes next. `\/` stands for a slash. */
  regex(): { readonly source: string; readonly ignoresCase: boolean } {
    const start = this.at
    let source = ''
    for (this.at++; !this.isAtEnd; this.at++) {
      const character = this.peek()
      if (character === '/') {
        this.at++
        return { source, ignoresCase: this.take('i') }
      }
      if (character === '\\' && this.peek(1) !== '') {
        if (this.peek(1) !== '/') source += character
        this.at++
      }
      source += this.peek()
    }
    throw invalidQuery({
      position: start,
      problem: 'the regular expression is never closed',
      suggestion: 'add / at its end, or put the text in quotation marks if it is none',
    })
  }
}
