import { canonicalFilters } from '../query/canonical-key.js'
import { type FieldPath, parseFieldPath } from '../query/field-path.js'
import { type Filter, parseFilters } from '../query/filter.js'
import type { MarkCondition, MarksQuery } from './marks.js'

/** A field by whose values, or a filter by whose outcome, marks are kept apart. */
export type CutPart =
  | { readonly value: string }
  | { readonly holds: { readonly property: string; readonly op: Filter['op']; readonly valueJson: string } }

/** A way of packing the events of one name so that filters and groups can be answered: each combination of its parts lies in a stretch of its own. */
export interface Cut {
  readonly grain: MarksQuery['grain']
  readonly parts: readonly CutPart[]
}

/** Longer ones are not kept: filters may name a thousand values. */
const CUT_CHARACTERS_MAX = 4_000

export function toCutText({ grain, parts }: Cut): string {
  return JSON.stringify({ grain, parts })
}

export function parseCut(text: string): Cut {
  return JSON.parse(text) as Cut
}

export function pathOfPart(part: Extract<CutPart, { value: string }>): FieldPath {
  return parseFieldPath(part.value)
}

export function filterOfPart({ holds }: Extract<CutPart, { holds: object }>): Filter {
  return parseFilters([holds])[0] as Filter
}

/**
 * The cuts that answer a condition, best first: by the values of the fields that its filters compare with, which answers every other value too; and by
 * whether its filters hold, for fields with too many values. None when they are too long to be kept.
 */
export function cutsFor(
  { filters }: Pick<MarkCondition, 'filters'>,
  groupBy: readonly FieldPath[],
  grain: MarksQuery['grain'],
): string[] {
  const toText = (isByValue: (filter: Filter) => boolean) => {
    const names = [...groupBy.map(({ name }) => name), ...filters.filter(isByValue).map(({ path }) => path.name)]
    const values = [...new Set(names)].sort().map((value): CutPart => ({ value }))
    const rest = filters.filter((filter) => !isByValue(filter))
    return toCutText({ grain, parts: [...values, ...rest.map(toHolds).sort(byText)] })
  }
  const texts = [...new Set([toText(comparesValues), toText(() => false)])]
  return texts.filter(({ length }) => length <= CUT_CHARACTERS_MAX)
}

function byText(a: CutPart, b: CutPart): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

/** What such a filter says of a field, its scalar says as well. */
function comparesValues({ op, path }: Filter): boolean {
  return (op === 'in' || op === 'not_in') && path.kind === 'json'
}

/** Where a filter's outcome, or the value it compares, stands among the parts. */
export function placeOfFilter({ parts }: Cut, filter: Filter): { readonly part: CutPart; readonly index: number } {
  const wanted = comparesValues(filter) ? JSON.stringify({ value: filter.path.name }) : ''
  const holds = JSON.stringify(toHolds(filter))
  const texts = parts.map((part) => JSON.stringify(part))
  const index = texts.includes(holds) ? texts.indexOf(holds) : texts.indexOf(wanted)
  return { part: parts[index] as CutPart, index }
}

/** The filter in the form of a request, from which it can be read again. */
function toHolds(filter: Filter): CutPart {
  return { holds: { property: filter.path.name, op: filter.op, valueJson: JSON.stringify(operandOf(filter)) } }
}

function operandOf(filter: Filter): unknown {
  switch (filter.op) {
    case 'in':
    case 'not_in':
    case 'any':
    case 'all':
      return [...new Set(filter.texts)].sort()
    case 'prefix':
    case 'not_prefix':
      return filter.prefix
    case 'exists':
    case 'not_exists':
      return null
    default:
      return filter.operand
  }
}

/** Whether two conditions have the same filters. */
export function haveSameFilters(a: MarkCondition, b: MarkCondition): boolean {
  return JSON.stringify(canonicalFilters(a.filters)) === JSON.stringify(canonicalFilters(b.filters))
}
