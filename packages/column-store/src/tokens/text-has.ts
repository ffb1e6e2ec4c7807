import { foldCase } from './words.js'

/**
 * How a text has to occur in another one: `phrase` not inside longer words at either end, `prefix` not behind another character of its word, `suffix` not
 * before one, `substring` anywhere.
 */
export type TextForm = 'phrase' | 'prefix' | 'suffix' | 'substring'

/** A text to look for. */
export interface TextNeedle {
  readonly form: TextForm
  /** Folded by `foldText`. */
  readonly text: string
}

// The same as foldCase, and much faster for most texts.
const IS_ASCII = /^[\0-\x7f]*$/
const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u

/** The form in which texts are compared: without the difference of capital and small letters, by Unicode, and of composed and decomposed characters. */
export function foldText(text: string): string {
  return IS_ASCII.test(text) ? text.toLowerCase() : foldCase(text)
}

/** Whether a folded text has another one in the given form. */
export function textHas(folded: string, { form, text }: TextNeedle): boolean {
  if (form === 'substring') return folded.includes(text)
  const opensWord = (form === 'phrase' || form === 'prefix') && isWordAt(text, 0, 'after')
  const closesWord = (form === 'phrase' || form === 'suffix') && isWordAt(text, text.length - 1, 'before')
  for (let at = folded.indexOf(text); at >= 0; at = folded.indexOf(text, at + 1)) {
    if (text === '') return true
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
