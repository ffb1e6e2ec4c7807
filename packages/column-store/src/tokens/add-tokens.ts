import { startOf, type Texts } from '../bytes/texts.js'
import type { Column } from '../columns/columns.js'
import { KeywordColumn } from '../columns/keyword-column.js'
import { PackedColumn } from '../columns/packed-column.js'
import { TextColumn } from '../columns/text-column.js'
import type { TokenSet } from './token-set.js'
import { hashId, visitWords } from './words.js'

/** Adds the tokens of one value: the words of texts, keywords and JSON, and an id of any length as one word. Other types have none. */
export function addTokens(tokens: TokenSet, column: Column, row: number): void {
  if (column.presence !== undefined && column.presence[row] === 0) return
  if (column instanceof TextColumn) {
    addWords(tokens, column.texts, row)
    if (column.isJson) addEscapedWords(tokens, column, row)
  }
  if (column instanceof KeywordColumn) addWords(tokens, column.dictionary, column.ids[row] as number)
  else if (column instanceof PackedColumn)
    tokens.add(hashId(column.bytes, row * column.width, (row + 1) * column.width))
}

function addWords(tokens: TokenSet, texts: Texts, index: number): void {
  visitWords(texts.bytes, { start: startOf(texts, index), end: texts.ends[index] as number }, tokens.visit)
}

const BACKSLASH = 0x5c

/** In JSON a word may hide behind an escape: the `n` of a line feed is no part of the word that follows it. */
function addEscapedWords(tokens: TokenSet, { texts }: TextColumn, row: number): void {
  const start = startOf(texts, row)
  const end = texts.ends[row] as number
  let at = start
  while (at < end && texts.bytes[at] !== BACKSLASH) at++
  if (at === end) return
  let left: unknown[]
  try {
    left = [JSON.parse(texts.bytes.toString('utf8', start, end))]
  } catch {
    return
  }
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string') addString(tokens, value)
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) {
        addString(tokens, key)
        left.push(inner)
      }
  }
}

function addString(tokens: TokenSet, text: string): void {
  const bytes = Buffer.from(text)
  visitWords(bytes, { start: 0, end: bytes.length }, tokens.visit)
}
