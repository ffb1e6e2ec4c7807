import { tooManyCells } from './group-numbers.js'
import { periodOf } from './period-of.js'
import { SparseCounts } from './sparse-counts.js'
import { createTurns, type Turn } from './turns.js'
import type { UserLists } from './user-lists.js'

export interface StickinessRequest {
  /** Starts of the periods, ascending. */
  readonly starts: readonly number[]
  /** Most pairs of a group and a number of periods that have users. */
  readonly cellsMax: number
}

/** How many users of each group were active in each number of periods. Takes memory only for what has users. */
export class ActivePeriods {
  readonly #request: StickinessRequest
  /** By group * periods of the range + number of active periods - 1. */
  readonly #counts = new SparseCounts()
  readonly #groups = new Set<number>()

  constructor(request: StickinessRequest) {
    this.#request = request
  }

  /** Pairs of a group and a number of periods that have users. */
  get cells(): number {
    return this.#counts.size
  }

  /** Groups with users, in no order. */
  get groups(): Iterable<number> {
    return this.#groups
  }

  /** Users by their number of active periods, from 1 to all of the range. */
  countsOf(group: number): number[] {
    const { length } = this.#request.starts
    return Array.from({ length }, (_, index) => this.#counts.of(group * length + index))
  }

  /** @throws TOO_MANY_GROUPS */
  addUser(group: number, periods: number): void {
    const { starts, cellsMax } = this.#request
    this.#groups.add(group)
    this.#counts.add(group * starts.length + periods - 1)
    if (this.cells > cellsMax)
      throw tooManyCells(cellsMax, 'groups and numbers of periods with users', 'or use a longer interval')
  }
}

/**
 * Counts for each user and group the periods with an event of list 0. All events must lie in the range of the periods. Resolves to the counts and the
 * number of users with any event. @throws TOO_MANY_GROUPS
 */
export async function walkStickiness(
  { users, lists }: UserLists,
  request: StickinessRequest,
  turn: Turn = createTurns(),
): Promise<{ readonly active: ActivePeriods; readonly users: number }> {
  const { starts } = request
  const active = new ActivePeriods(request)
  const [list] = lists
  if (list === undefined) return { active, users: 0 }
  let activeUsers = 0
  /** Of one user: number of active periods and the last of them by group, as one number so that users cost no objects. */
  const seen = new Map<number, number>()
  const unit = starts.length + 1
  for (let user = 0; user < users; user++) {
    const begin = list.starts[user] as number
    const end = list.starts[user + 1] as number
    let period = 0
    let periodEndMs = Number.NEGATIVE_INFINITY
    for (let at = begin; at < end; at++) {
      const timeMs = list.times[at] as number
      if (timeMs >= periodEndMs) {
        period = periodOf(starts, timeMs)
        periodEndMs = starts[period + 1] ?? Number.POSITIVE_INFINITY
      }
      const group = list.groups[at] as number
      const known = seen.get(group)
      if (known === undefined) seen.set(group, period * unit + 1)
      else if (Math.floor(known / unit) !== period) seen.set(group, period * unit + (known % unit) + 1)
    }
    if (end > begin) activeUsers++
    for (const [group, known] of seen) active.addUser(group, known % unit)
    seen.clear()
    const pause = turn(1 + end - begin)
    if (pause !== undefined) await pause
  }
  return { active, users: activeUsers }
}
