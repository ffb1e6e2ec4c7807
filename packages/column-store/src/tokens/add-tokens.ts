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
  if (column instanceof TextColumn) addWords(tokens, column.texts, row)
  else if (column instanceof KeywordColumn) addWords(tokens, column.dictionary, column.ids[row] as number)
  else if (column instanceof PackedColumn)
    tokens.add(hashId(column.bytes, row * column.width, (row + 1) * column.width))
}

function addWords(tokens: TokenSet, texts: Texts, index: number): void {
  visitWords(texts.bytes, { start: startOf(texts, index), end: texts.ends[index] as number }, tokens.visit)
}
