import { foldText, type TextNeedle } from '@millrace/column-store'
import type { LogRow } from '../search/compiled-query.js'
import { compileRegex } from './linear-regex.js'
import { valuesAt } from './query-line.js'
import { type Match, type QueryNode, resolveField } from './query-tree.js'

/** Where a query found something in a field of a line. */
export interface Highlight {
  /** `message`, or the path of an attribute with dots, beginning with `attributes`. */
  readonly field: string
  /** Start and end of each found text, in UTF-16 code units as JavaScript counts them; in ascending order and apart from each other. */
  readonly ranges: readonly (readonly [start: number, end: number])[]
}

type Range = readonly [start: number, end: number]
type Finder = (text: string) => readonly Range[]

/** Finds in texts what the conditions of a query look for. Conditions under NOT are left out. */
export function createHighlighter(node: QueryNode): (row: LogRow) => Highlight[] {
  const finders: { readonly field: readonly string[] | undefined; readonly find: Finder }[] = []
  collect(node, (field, match) => {
    const find = finderOf(match)
    if (find !== undefined) finders.push({ field, find })
  })
  if (finders.length === 0) return () => []
  return (row) => {
    const found = new Map<string, Range[]>()
    const add = (name: string, text: string, find: Finder) => {
      const ranges = find(text)
      if (ranges.length > 0) found.set(name, [...(found.get(name) ?? []), ...ranges])
    }
    let attributes: object | undefined
    for (const { field, find } of finders) {
      const target = field === undefined ? undefined : resolveField(field)
      const isMessage = target?.kind === 'line' && target.name === 'message'
      if (target === undefined || isMessage) add('message', row.message, find)
      if (isMessage || target?.kind === 'line') continue
      attributes ??= JSON.parse(row.attributesJson) as object
      const roots = target === undefined ? [attributes] : valuesAt(attributes, target.path)
      for (const root of roots)
        eachText(root, ['attributes', ...(target?.path ?? [])], (name, text) => add(name, text, find))
    }
    return [...found].map(([field, ranges]) => ({ field, ranges: merge(ranges) }))
  }
}

function collect(node: QueryNode, add: (field: readonly string[] | undefined, match: Match) => void): void {
  if (node.kind === 'and' || node.kind === 'or') for (const one of node.nodes) collect(one, add)
  if (node.kind === 'term') add(node.field, node.match)
}

function eachText(value: unknown, path: readonly string[], visit: (name: string, text: string) => void): void {
  if (typeof value === 'string') visit(path.join('.'), value)
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) eachText(item, [...path, String(index)], visit)
  else if (typeof value === 'object' && value !== null)
    for (const [key, member] of Object.entries(value)) eachText(member, [...path, key], visit)
}

function finderOf(match: Match): Finder | undefined {
  switch (match.kind) {
    case 'words':
      return foldedFinder({ form: match.isPrefix ? 'prefix' : 'phrase', text: foldText(match.text) })
    case 'substring':
      return foldedFinder({ form: 'substring', text: foldText(match.text) })
    case 'regex':
      return (text) => compileRegex(match).ranges(text)
    case 'compare':
      return match.operator === '='
        ? (text) => (text === match.value && text !== '' ? [[0, text.length]] : [])
        : undefined
    case 'exists':
      return undefined
  }
}

const RANGES_MAX = 1000

function foldedFinder(wanted: TextNeedle): Finder {
  if (wanted.text === '') return () => []
  return (text) => {
    const { folded, starts, ends } = foldWithPlaces(text)
    const ranges: Range[] = []
    for (
      let at = folded.indexOf(wanted.text);
      at >= 0 && ranges.length < RANGES_MAX;
      at = folded.indexOf(wanted.text, at + 1)
    ) {
      const end = at + wanted.text.length
      if (!standsAlone(folded, { at, end }, wanted)) continue
      ranges.push([starts[at] as number, ends[end - 1] as number])
    }
    return ranges
  }
}

const WORD_CHARACTER = /[\p{L}\p{M}\p{N}_]/u
const ENDS_IN_WORD = /[\p{L}\p{M}\p{N}_]$/u

/** Whether no word goes on beyond the ends of a found text where the form does not allow it. */
function standsAlone(
  text: string,
  { at, end }: { readonly at: number; readonly end: number },
  { form, text: wanted }: TextNeedle,
): boolean {
  const isWordAt = (place: number) => WORD_CHARACTER.test(String.fromCodePoint(text.codePointAt(place) ?? 0))
  const opensWord = (form === 'phrase' || form === 'prefix') && isWordAt(at)
  const closesWord = (form === 'phrase' || form === 'suffix') && ENDS_IN_WORD.test(wanted)
  if (opensWord && ENDS_IN_WORD.test(text.slice(Math.max(0, at - 2), at))) return false
  return !(closesWord && end < text.length && isWordAt(end))
}

/** A folded text with the place in the original from which each of its units comes. Folding can change the number of units. */
function foldWithPlaces(text: string): { folded: string; starts: ArrayLike<number>; ends: ArrayLike<number> } {
  let folded = ''
  const starts: number[] = []
  const ends: number[] = []
  for (const { 0: cluster, index } of text.matchAll(/\P{M}\p{M}*|\p{M}+/gsu)) {
    const part = foldText(cluster)
    folded += part
    for (let unit = 0; unit < part.length; unit++) {
      starts.push(index)
      ends.push(index + cluster.length)
    }
  }
  return { folded, starts, ends }
}

function merge(ranges: Range[]): Range[] {
  const merged: [number, number][] = []
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end)
    else merged.push([start, end])
  }
  return merged
}
