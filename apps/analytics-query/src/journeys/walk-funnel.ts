import { Durations } from './durations.js'
import { tooManyCells } from './group-numbers.js'
import type { UserList } from './mark-reader.js'
import { createTurns, type Turn } from './turns.js'
import { isAfter, type UserLists } from './user-lists.js'

export interface FunnelStepResult {
  /** Who reached the step. */
  users: number
  /** Since the step before. */
  readonly durations: Durations
}

export interface FunnelRequest {
  readonly windowMs: number
  /** Attempts begin before this time; later steps may lie after it. Default: no limit. */
  readonly beginBeforeMs?: number
  /** Most steps that someone reached, those of each group counted. */
  readonly cellsMax: number
}

/**
 * How far each user came, by group of the first step's event: the steps that someone reached, and only groups in which someone began. An attempt begins
 * with each event of the first step and takes at every further step the first event after the one before, as long as it lies at most `windowMs` after the
 * attempt's beginning. A user counts once: with the first of those attempts that came furthest. @throws TOO_MANY_GROUPS
 */
export async function walkFunnel(
  { users, lists }: UserLists,
  { windowMs, beginBeforeMs = Number.POSITIVE_INFINITY, cellsMax }: FunnelRequest,
  turn: Turn = createTurns(),
): Promise<Map<number, FunnelStepResult[]>> {
  const results = new Map<number, FunnelStepResult[]>()
  let cells = 0
  const attempts = new Attempts(lists, { windowMs, beginBeforeMs })
  for (let user = 0; user < users; user++) {
    const marks = lists.reduce((sum, { starts }) => sum + (starts[user + 1] as number) - (starts[user] as number), 1)
    const pause = turn(marks)
    if (pause !== undefined) await pause
    if (!attempts.findBest(user)) continue
    let group = results.get(attempts.group)
    if (group === undefined) {
      group = []
      results.set(attempts.group, group)
    }
    for (let step = 0; step < attempts.reached; step++) {
      if (step === group.length) {
        if (++cells > cellsMax) throw tooManyCells(cellsMax, 'groups and steps with users', 'or ask for fewer steps')
        group.push({ users: 0, durations: new Durations() })
      }
      const result = group[step] as FunnelStepResult
      result.users++
      if (step > 0) result.durations.add(attempts.timeOf(step) - attempts.timeOf(step - 1))
    }
  }
  return results
}

/** Later attempts of a user never match earlier events than the ones before, so each list is gone through once. */
class Attempts {
  readonly #lists: readonly UserList[]
  readonly #windowMs: number
  readonly #beginBeforeMs: number
  /** Where the search for each step goes on. */
  readonly #next: Uint32Array
  readonly #times: Float64Array
  readonly #best: Float64Array
  /** Steps of the best attempt. */
  reached = 0
  /** Of the event that began it. */
  group = 0

  constructor(lists: readonly UserList[], { windowMs, beginBeforeMs }: Required<Omit<FunnelRequest, 'cellsMax'>>) {
    this.#lists = lists
    this.#windowMs = windowMs
    this.#beginBeforeMs = beginBeforeMs
    this.#next = new Uint32Array(lists.length)
    this.#times = new Float64Array(lists.length)
    this.#best = new Float64Array(lists.length)
  }

  /** When the best attempt reached a step. */
  timeOf(step: number): number {
    return this.#best[step] as number
  }

  /** False for a user who never began. */
  findBest(user: number): boolean {
    this.reached = 0
    const first = this.#lists[0] as UserList
    this.#lists.forEach(({ starts }, step) => {
      this.#next[step] = starts[user] as number
    })
    const end = first.starts[user + 1] as number
    for (let entry = first.starts[user] as number; entry < end && this.reached < this.#lists.length; entry++) {
      if ((first.times[entry] as number) >= this.#beginBeforeMs) break
      const reached = this.#follow(user, entry)
      if (reached <= this.reached) continue
      this.reached = reached
      this.group = first.groups[entry] as number
      this.#best.set(this.#times)
    }
    return this.reached > 0
  }

  /** How many steps the attempt that begins with an event of the first one reaches. */
  #follow(user: number, entry: number): number {
    let before = this.#lists[0] as UserList
    let at = entry
    const begin = before.times[entry] as number
    this.#times[0] = begin
    for (let step = 1; step < this.#lists.length; step++) {
      const list = this.#lists[step] as UserList
      const end = list.starts[user + 1] as number
      let next = this.#next[step] as number
      while (next < end && !isAfter(list, next, before, at)) next++
      this.#next[step] = next
      if (next === end || (list.times[next] as number) - begin > this.#windowMs) return step
      this.#times[step] = list.times[next] as number
      before = list
      at = next
    }
    return this.#lists.length
  }
}
