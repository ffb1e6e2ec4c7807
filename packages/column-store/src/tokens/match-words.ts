import { startOf, type Texts } from '../bytes/texts.js'
import type { TextColumn } from '../columns/text-column.js'
import { hashWord, visitWords, wordsOf } from './words.js'

/** Looks for texts that have all words of a search text, whatever their case and order. */
export interface WordMatcher {
  /** The hashes of the words, to ask a token filter for. */
  readonly tokens: readonly number[]
  /** One byte a row: 1 where the value has all words. */
  rows(column: TextColumn): Uint8Array
}

/**
 * Makes a matcher for the words of `text`. Words are what `wordsOf` and the token filters say, so a row that matches is in a chunk whose filter has
 * all tokens. A text without words matches nothing.
 */
export function createWordMatcher(text: string): WordMatcher {
  const words = [...new Set(wordsOf(text))]
  const matchers = words.map((word) => (texts: Texts) => textsWithWord(texts, word))
  return {
    tokens: words.map(hashWord),
    rows: (column) => {
      const found = new Uint8Array(column.rows).fill(words.length === 0 ? 0 : 1)
      for (const [index, match] of matchers.entries()) {
        const rows = /\d/.test(words[index] as string) ? undefined : rowsByTemplate(column, match)
        and(found, rows ?? match(column.texts))
      }
      clearAbsent(found, column)
      return found
    },
  }
}

/**
 * The rows that have a word without digits, found in their templates alone: each word of a template is a word of the text. Undefined when variables
 * may have such words as well.
 */
function rowsByTemplate(column: TextColumn, match: (texts: Texts) => Uint8Array): Uint8Array | undefined {
  const { templates } = column
  if (templates === undefined || templates.mayHideWords) return undefined
  const matching = match(templates.templates)
  const found = new Uint8Array(templates.ids.length)
  for (let row = 0; row < found.length; row++) found[row] = matching[templates.ids[row] as number] as number
  return found
}

function textsWithWord(texts: Texts, word: string): Uint8Array {
  const found = new Uint8Array(texts.ends.length)
  const wanted = hashWord(word)
  for (let index = 0; index < found.length; index++) {
    let isCandidate = false
    const range = { start: startOf(texts, index), end: texts.ends[index] as number }
    visitWords(texts.bytes, range, (hash) => {
      if (hash === wanted) isCandidate = true
    })
    // Another word may have the same hash.
    if (isCandidate && wordsOf(texts.bytes.toString('utf8', range.start, range.end)).includes(word)) found[index] = 1
  }
  return found
}

function and(found: Uint8Array, other: Uint8Array): void {
  for (let row = 0; row < found.length; row++) found[row] = (found[row] as number) & (other[row] as number)
}

function clearAbsent(found: Uint8Array, { presence }: TextColumn): void {
  if (presence !== undefined) and(found, presence)
}
