import { hashWord, wordsOf } from '@millrace/column-store'
import type { Need } from './compiled-query.js'

/** What a filter must say for a chunk to be read: a token that its lines may have, or a combination of such answers. */
export type TokenTest =
  | { readonly kind: 'token'; readonly hash: number }
  | { readonly kind: 'any' | 'all'; readonly of: readonly TokenTest[] }

/** What filters can say about a need. Undefined: nothing, any chunk may fulfil it. */
export function tokenTestOf(need: Need | undefined): TokenTest | undefined {
  if (need === undefined) return undefined
  switch (need.kind) {
    case 'token':
      return allOf([need.token])
    case 'equals':
      return allOf(need.column === 'spanId' ? [] : wordsOf(need.value))
    case 'text':
      return allOf(wholeWords(need))
    case 'all': {
      const tests = need.of.map(tokenTestOf).filter((test) => test !== undefined)
      return tests.length === 0 ? undefined : { kind: 'all', of: tests }
    }
    case 'any': {
      const tests = need.of.map(tokenTestOf)
      return tests.every((test) => test !== undefined) ? { kind: 'any', of: tests } : undefined
    }
  }
}

function allOf(words: readonly string[]): TokenTest | undefined {
  if (words.length === 0) return undefined
  return { kind: 'all', of: [...new Set(words)].map((word) => ({ kind: 'token', hash: hashWord(word) })) }
}

const WORD_AT_START = /^[\p{L}\p{N}\p{M}_]+/u
const WORD_AT_END = /[\p{L}\p{N}\p{M}_]+$/u

/** The words of a text that are whole words of each line that has it. */
function wholeWords({ form, text }: Extract<Need, { kind: 'text' }>): string[] {
  let inner = text
  if (form === 'prefix' || form === 'substring') inner = inner.replace(WORD_AT_END, '')
  if (form === 'suffix' || form === 'substring') inner = inner.replace(WORD_AT_START, '')
  return wordsOf(inner)
}

/** The hashes of all tokens of a test, each once. */
export function hashesOf(test: TokenTest | undefined): number[] {
  if (test === undefined) return []
  return [...new Set(test.kind === 'token' ? [test.hash] : test.of.flatMap(hashesOf))]
}

/** Whether a chunk may fulfil a test. */
export function mayPass(test: TokenTest, mayHave: (hash: number) => boolean): boolean {
  if (test.kind === 'token') return mayHave(test.hash)
  return test.kind === 'all'
    ? test.of.every((one) => mayPass(one, mayHave))
    : test.of.some((one) => mayPass(one, mayHave))
}
