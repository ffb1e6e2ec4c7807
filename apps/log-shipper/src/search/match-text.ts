import { foldCase } from '@millrace/column-store'
import type { LogRow, Need, TextForm } from './compiled-query.js'

/** The form in which texts are compared: without the difference of capital and small letters, by Unicode, and of composed and decomposed characters. */
export function foldText(text: string): string {
  return IS_ASCII.test(text) ? text.toLowerCase() : foldCase(text)
}

const IS_ASCII = /^[\0-\x7f]*$/

/** Whether a line fulfils a need. Tokens are not looked at: they only leave out chunks. */
export function meets(row: LogRow, need: Need): boolean {
  switch (need.kind) {
    case 'text':
      return lineHas(row, need)
    case 'equals':
      return row[need.column] === need.value
    case 'token':
      return true
    case 'any':
      return need.of.some((one) => meets(row, one))
    case 'all':
      return need.of.every((one) => meets(row, one))
  }
}

function lineHas(row: LogRow, need: Extract<Need, { kind: 'text' }>): boolean {
  if (need.in !== 'attributes' && textHas(foldText(row.message), need)) return true
  return need.in !== 'message' && attributesHave(row.attributesJson, need)
}

/** Whether a value of the attributes, nested ones included, has the text. */
export function attributesHave(json: string, need: TextToFind): boolean {
  for (const value of valuesOf(json)) if (textHas(foldText(value), need)) return true
  return false
}

/** The values of attributes as texts, nested ones included. */
function* valuesOf(json: string): Generator<string> {
  if (json === '{}') return
  const left: unknown[] = [JSON.parse(json)]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'object' && value !== null) left.push(...Object.values(value))
    else if (value !== null) yield String(value as string | number | boolean)
  }
}

interface TextToFind {
  readonly form: TextForm
  /** Folded. */
  readonly text: string
}

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u

/** Whether a folded text has another one in the given form. */
export function textHas(folded: string, { form, text }: TextToFind): boolean {
  if (form === 'substring') return folded.includes(text)
  const opensWord = (form === 'phrase' || form === 'prefix') && isWordAt(text, 0, 'after')
  const closesWord = (form === 'phrase' || form === 'suffix') && isWordAt(text, text.length - 1, 'before')
  for (let at = folded.indexOf(text); at >= 0; at = folded.indexOf(text, at + 1)) {
    if (opensWord && isWordAt(folded, at - 1, 'before')) continue
    if (closesWord && isWordAt(folded, at + text.length, 'after')) continue
    return true
  }
  return false
}

/** Whether the character at a place belongs to a word. `before`: the place is that of its last unit. */
function isWordAt(text: string, at: number, side: 'before' | 'after'): boolean {
  if (at < 0 || at >= text.length) return false
  // A character outside of the basic plane takes two units.
  const isLow = side === 'before' && at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00
  const code = text.codePointAt(isLow ? at - 1 : at)
  return code !== undefined && WORD_CHARACTER.test(String.fromCodePoint(code))
}
