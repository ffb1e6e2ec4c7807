import { tooManyCells } from './group-numbers.js'
import { periodOf } from './period-of.js'
import { SparseCounts } from './sparse-counts.js'
import { createTurns, type Turn } from './turns.js'
import type { UserLists } from './user-lists.js'

export interface RetentionRequest {
  /** Starts of the periods, ascending. */
  readonly starts: readonly number[]
  /** How many periods after the cohort's own are followed. */
  readonly periods: number
  /** Most cohorts with users and periods in which some came back, together. */
  readonly cellsMax: number
}

/** Users by group and period, and those of them that came back. Only what has users takes memory, about 40 bytes. */
export class Cohorts {
  readonly #request: RetentionRequest
  /** By cohort: group * periods + period. */
  readonly #sizes = new SparseCounts()
  /** By cohort * periods + periods since its own. */
  readonly #returned = new SparseCounts()

  constructor(request: RetentionRequest) {
    this.#request = request
  }

  /** Cohorts with users and periods in which some came back. */
  get cells(): number {
    return this.#sizes.size + this.#returned.size
  }

  /** The groups and periods that have users, in no order. */
  *list(): Generator<{ group: number; own: number }> {
    const { length } = this.#request.starts
    for (const cohort of this.#sizes.keys()) yield { group: Math.floor(cohort / length), own: cohort % length }
  }

  sizeOf(group: number, own: number): number {
    return this.#sizes.of(this.#cohort(group, own))
  }

  /** Users who came back, by periods since the cohort's own, as far as the range goes. */
  returnedOf(group: number, own: number): number[] {
    const first = this.#cohort(group, own) * this.#request.starts.length
    return Array.from({ length: this.periodsAfter(own) }, (_, period) => this.#returned.of(first + period))
  }

  /** How many periods of a cohort are followed, its own included. */
  periodsAfter(own: number): number {
    const { periods, starts } = this.#request
    return Math.min(periods + 1, starts.length - own)
  }

  /** @throws TOO_MANY_GROUPS */
  addUser(group: number, own: number): void {
    this.#sizes.add(this.#cohort(group, own))
    this.#refuseTooMany()
  }

  /** @throws TOO_MANY_GROUPS */
  addReturn(group: number, own: number, period: number): void {
    this.#returned.add(this.#cohort(group, own) * this.#request.starts.length + period)
    this.#refuseTooMany()
  }

  #cohort(group: number, own: number): number {
    return group * this.#request.starts.length + own
  }

  #refuseTooMany(): void {
    const { cellsMax } = this.#request
    if (this.cells > cellsMax)
      throw tooManyCells(cellsMax, 'cohorts and periods with users', 'use a longer interval, or fewer periods')
  }
}

/**
 * Cohorts by group and period. A user belongs to the period of the first event of list 0, and has come back in a period with an event of list 1 at
 * or after that one; so in period 0 too. @throws TOO_MANY_GROUPS
 */
export async function walkRetention(
  { users, lists }: UserLists,
  request: RetentionRequest,
  turn: Turn = createTurns(),
): Promise<Cohorts> {
  const { starts } = request
  const cohorts = new Cohorts(request)
  const [first, returns] = lists
  if (first === undefined || returns === undefined) return cohorts
  for (let user = 0; user < users; user++) {
    const begin = first.starts[user] as number
    if (begin === first.starts[user + 1]) continue
    const beginMs = first.times[begin] as number
    const group = first.groups[begin] as number
    const own = periodOf(starts, beginMs)
    const followed = cohorts.periodsAfter(own)
    cohorts.addUser(group, own)
    const end = returns.starts[user + 1] as number
    let nextMs = beginMs
    for (let at = returns.starts[user] as number; at < end; at++) {
      const timeMs = returns.times[at] as number
      if (timeMs < nextMs) continue
      if (timeMs === beginMs && (returns.places[at] as number) < (first.places[begin] as number)) continue
      const period = periodOf(starts, timeMs) - own
      if (period >= followed) break
      cohorts.addReturn(group, own, period)
      nextMs = starts[own + period + 1] ?? Number.POSITIVE_INFINITY
    }
    const pause = turn(1 + end - (returns.starts[user] as number))
    if (pause !== undefined) await pause
  }
  return cohorts
}
