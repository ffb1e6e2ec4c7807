import { coreErrors, type SearchLogsRequest } from '@millrace/contracts'
import type { LogLine } from '../batch/log-batch.js'
import { LEVEL_NAMES, levelIndex } from '../records/severity.js'
import type { LogPlace } from '../store/build-chunks.js'

/** A search, checked. All conditions must hold. */
export interface LogQuery {
  /** ms since 1970; inclusive. */
  readonly fromMs: number
  /** ms since 1970; exclusive. */
  readonly toMs: number
  /** A bit for each level that is wanted, by `levelIndex`. */
  readonly levels: number
  /** Any of these; empty: all. */
  readonly services: readonly string[]
  readonly host: string
  readonly traceId: string
  /** Folded words, all of which must be in the line. */
  readonly words: readonly string[]
  /** Folded text that must be in the message or in a value of an attribute; '' for none. */
  readonly contains: string
  readonly limit: number
  /** Only lines before this one, in the order from the newest to the oldest. */
  readonly before: LogPlace | undefined
}

export const LIMIT_DEFAULT = 10
export const LIMIT_MAX = 100
const ALL_LEVELS = (1 << LEVEL_NAMES.length) - 1
const WORD_MAX = 32

/** @throws INVALID_REQUEST */
export function toLogQuery(request: SearchLogsRequest, before: LogPlace | undefined): LogQuery {
  const { from, to, levels, services, host, traceId, query, contains, limit } = request
  if (limit > LIMIT_MAX) throw coreErrors.INVALID_REQUEST({ message: `limit must be from 1 to ${LIMIT_MAX}` })
  if (traceId !== '' && !/^[\da-f]{32}$/i.test(traceId))
    throw coreErrors.INVALID_REQUEST({ message: 'trace_id must be 32 hexadecimal digits' })
  const words = wordsOf(fold(query))
  if (words.length > WORD_MAX) throw coreErrors.INVALID_REQUEST({ message: `q has more than ${WORD_MAX} words` })
  if (query !== '' && words.length === 0)
    throw coreErrors.INVALID_REQUEST({ message: 'q has no word: a word is made of letters, digits and underscores' })
  return {
    fromMs: from?.getTime() ?? 0,
    toMs: to?.getTime() ?? Number.MAX_SAFE_INTEGER,
    levels: levels.length === 0 ? ALL_LEVELS : levels.reduce((mask, level) => mask | levelBit(level), 0),
    services,
    host,
    traceId: traceId.toLowerCase(),
    words,
    contains: fold(contains),
    limit: limit === 0 ? LIMIT_DEFAULT : limit,
    before,
  }
}

function levelBit(name: string): number {
  const index = (LEVEL_NAMES as readonly string[]).indexOf(name)
  if (index < 0) throw coreErrors.INVALID_REQUEST({ message: `level must be one of ${LEVEL_NAMES.join(', ')}` })
  return 1 << index
}

/** The form in which texts are compared: without the difference of capital and small letters, by Unicode. */
export function fold(text: string): string {
  return text.toLowerCase()
}

/** The words of a folded text: sequences of letters, marks, digits and underscores. */
export function wordsOf(text: string): string[] {
  return [...new Set(text.match(WORD) ?? [])]
}

const WORD = /[\p{L}\p{M}\p{N}_]+/gu

/** Whether a line fulfils all conditions but `before`. */
export function matches(line: LogLine, query: LogQuery): boolean {
  if (line.timeMs < query.fromMs || line.timeMs >= query.toMs) return false
  if (((query.levels >> levelIndex(line.severity)) & 1) === 0) return false
  if (query.services.length > 0 && !query.services.includes(line.service)) return false
  if (query.host !== '' && line.host !== query.host) return false
  if (query.traceId !== '' && line.traceId !== query.traceId) return false
  if (query.words.length === 0 && query.contains === '') return true
  return matchesTexts(line, query)
}

function matchesTexts(line: LogLine, { words, contains }: LogQuery): boolean {
  let missing = words
  let lacksContained = contains !== ''
  for (const text of textsOf(line)) {
    const folded = fold(text)
    if (lacksContained && folded.includes(contains)) lacksContained = false
    missing = missing.filter((word) => !hasWord(folded, word))
    if (missing.length === 0 && !lacksContained) return true
  }
  return false
}

/** The message, then the values of the attributes, nested ones included. */
function* textsOf({ message, attributesJson }: LogLine): Generator<string> {
  yield message
  if (attributesJson === '{}') return
  const left: unknown[] = [JSON.parse(attributesJson)]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'object' && value !== null) left.push(...Object.values(value))
    else if (value !== null) yield String(value as string | number | boolean)
  }
}

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u

/** Whether a folded text has the word, not as a part of a longer one. */
function hasWord(text: string, word: string): boolean {
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    if (!isWordAt(text, at - 1, 'before') && !isWordAt(text, at + word.length, 'after')) return true
  }
  return false
}

function isWordAt(text: string, at: number, side: 'before' | 'after'): boolean {
  if (at < 0 || at >= text.length) return false
  // A character outside of the basic plane takes two units.
  const isLow = side === 'before' && at > 0 && (text.charCodeAt(at) & 0xfc00) === 0xdc00
  const code = text.codePointAt(isLow ? at - 1 : at)
  return code !== undefined && WORD_CHARACTER.test(String.fromCodePoint(code))
}
