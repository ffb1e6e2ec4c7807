import type { TextForm } from '@millrace/column-store'
import type { LogLine } from '../batch/log-batch.js'

/** A line as queries see it. Of stored lines each field is decoded when it is first read, so a query pays only for what it reads. */
export type LogRow = LogLine

/**
 * A condition that the store can test, or use to leave out whole chunks, without making lines:
 * - `text`: the folded text (`foldText` of column-store) occurs in the given form in the message or in a value of an attribute, or only in one of the two. A single word is a phrase.
 * - `equals`: the column has exactly this value. Ids are lower-case digits.
 * - `token`: a word (`wordsOf`, one of a text or an id as digits) that the message, the host, the trace id, or a key or value of the attributes has. It only
 *   leaves out chunks.
 * - `any`, `all`: at least one, or each of them.
 */
export type Need =
  | { readonly kind: 'text'; readonly form: TextForm; readonly text: string; readonly in?: 'message' | 'attributes' }
  | { readonly kind: 'equals'; readonly column: 'host' | 'traceId' | 'spanId'; readonly value: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'any' | 'all'; readonly of: readonly Need[] }

/** A query in the form in which the store runs it. */
export interface CompiledQuery {
  /** ms since 1970; inclusive. The store tests times, levels and services itself, whatever else the query says. */
  readonly fromMs: number
  /** ms since 1970; exclusive. */
  readonly toMs: number
  /** A bit for each level that is wanted, by `levelIndex`. */
  readonly levels: number
  /** Any of these; empty: all. */
  readonly services: readonly string[]
  /** What each matching line fulfils, as far as it can be said in this form. Undefined: nothing can be said. */
  readonly needs: Need | undefined
  /** Tests what `needs` does not say, on lines that fulfil `needs`. Undefined: such lines match, so they are counted without being made. */
  readonly matches: ((row: LogRow) => boolean) | undefined
}
