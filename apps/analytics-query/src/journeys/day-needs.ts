import type { FieldPath } from '../query/field-path.js'
import { cutsFor, haveSameFilters, toCutText } from './cuts.js'
import type { MarkCondition, MarksQuery } from './marks.js'

/** What a query needs of packed days. */
export interface DayNeeds {
  /** Names whose plain marks are needed: null for those of every event, none when none are. '' stands for any event, by quarters of an hour. */
  readonly names: readonly string[] | null
  /** Bit i is set for conditions that plain marks answer. */
  readonly plainMask: number
  readonly cuts: readonly CutNeed[]
}

/** Marks of one name that meet filters, and in groups. */
export interface CutNeed {
  /** Bit i is set when the marks meet condition i. */
  readonly mask: number
  readonly condition: MarkCondition
  readonly groupBy: readonly FieldPath[]
  /** As it stands in a cut: '' is any. */
  readonly event: string
  /** Cuts that answer it, best first. */
  readonly cuts: readonly string[]
}

/** Undefined when packed days cannot answer: a filter is too long to be kept. */
export function needsOf({ conditions, groupBy, grain }: MarksQuery): DayNeeds | undefined {
  if (grain === 'visit') return visitNeeds(conditions)
  const [first] = conditions
  const isPlain = (index: number) => {
    const condition = conditions[index] as MarkCondition
    const isGrouped = groupBy.length > 0 && (index === 0 || isSame(condition, first as MarkCondition))
    return condition.filters.length === 0 && !isGrouped
  }
  const plain = conditions.filter((_, index) => isPlain(index)).map(({ event }) => event ?? '')
  const cuts: CutNeed[] = []
  conditions.forEach((condition, index) => {
    const isRead = cuts.some((need) => (need.mask & (1 << index)) !== 0 && isSame(need.condition, condition))
    if (isPlain(index) || isRead) return
    const own = index === 0 ? groupBy : []
    cuts.push({
      mask: maskOf(index, conditions, isPlain) & (groupBy.length > 0 && index > 0 ? ~1 : ~0),
      condition,
      groupBy: own,
      event: condition.event ?? '',
      cuts: cutsFor(condition, own, condition.event === null ? grain : 'event'),
    })
  })
  if (cuts.some((need) => need.cuts.length === 0)) return undefined
  return {
    names: grain === 'event' && plain.includes('') ? null : [...new Set(plain)],
    plainMask: conditions.reduce((mask, _, index) => (isPlain(index) ? mask | (1 << index) : mask), 0),
    cuts,
  }
}

function visitNeeds([condition]: readonly MarkCondition[]): DayNeeds {
  const cuts = [toCutText({ grain: 'visit', parts: [] })]
  const need = { mask: 1, condition: condition as MarkCondition, groupBy: [], event: condition?.event ?? '', cuts }
  return { names: [], plainMask: 0, cuts: [need] }
}

function isSame(a: MarkCondition, b: MarkCondition): boolean {
  return a.event === b.event && haveSameFilters(a, b)
}

/**
 * The conditions that the marks of one meet: itself, the same ones, and those for any event with the same filters. With marks of any event by quarters,
 * an event's own marks are among those as well: they say when exactly it was.
 */
function maskOf(index: number, conditions: readonly MarkCondition[], isPlain: (index: number) => boolean): number {
  const condition = conditions[index] as MarkCondition
  let mask = 0
  conditions.forEach((other, at) => {
    const isOfEvent = other.event === null || (other.event === condition.event && !isPlain(at))
    if (at === index || (isOfEvent && haveSameFilters(other, condition))) mask |= 1 << at
  })
  return mask
}
