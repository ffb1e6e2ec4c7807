import { APOSTROPHE, BACKSLASH, byteSet, isWhiteSpace, LETTERS_AND_DIGITS, QUOTE } from './byte-table.js'
import { byteAt, type TextView } from './text-view.js'

/** Longer than ids are. It bounds what is read again when ids stand inside an id. */
const LENGTH_MAX = 128
const ID = byteSet(`${LETTERS_AND_DIGITS}_-.:/#`)
const ENDS = byteSet(`"',;&|)]}>`)

/**
 * Where the id that begins at `start` ends, its opening quote not included. Undefined for a value that is more than one plain id: `{078-05-1120` and
 * `call 415-555-2671` may hold anything, whatever the name of their field says.
 */
export function findIdEnd(view: TextView, start: number): number | undefined {
  let at = start
  const stop = Math.min(view.end, start + LENGTH_MAX)
  while (at < stop && ID[view.bytes[at] as number] === 1) at++
  const next = byteAt(view, at)
  return next === undefined || isWhiteSpace(next) || next === BACKSLASH || ENDS[next] === 1 ? at : undefined
}

/** Where a value begins: behind its opening quote, if it has one, also an escaped one. */
export function skipQuote(view: TextView, from: number): number {
  let at = from
  while (at < from + LENGTH_MAX && byteAt(view, at) === BACKSLASH) at++
  const first = byteAt(view, at)
  return first === QUOTE || first === APOSTROPHE ? at + 1 : from
}
