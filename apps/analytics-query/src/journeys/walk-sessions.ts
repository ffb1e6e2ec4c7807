import { Durations } from './durations.js'
import { tooManyCells } from './group-numbers.js'
import type { UserList } from './mark-reader.js'
import { periodOf } from './period-of.js'
import { createTurns, type Turn } from './turns.js'
import type { UserLists } from './user-lists.js'

export interface SessionsRequest {
  readonly fromMs: number
  /** Starts of the buckets, ascending. */
  readonly starts: readonly number[]
  /** So long without an event ends a session. */
  readonly gapMs: number
  /** Most buckets and groups with sessions. */
  readonly cellsMax: number
}

export class SessionTotals {
  sessions = 0
  users = 0
  events = 0
  /** Sessions of one event. */
  bounces = 0
  readonly durations = new Durations()
  #lastUser = -1

  /** Users are handed over one after the other. */
  add(user: number, events: number, lengthMs: number): void {
    this.sessions++
    this.events += events
    if (events === 1) this.bounces++
    if (user !== this.#lastUser) this.users++
    this.#lastUser = user
    this.durations.add(lengthMs)
  }
}

export interface SessionCell {
  readonly bucket: number
  readonly group: number
  readonly totals: SessionTotals
}

/**
 * Sessions by bucket and group of their first event: runs of a user's events, or visits, with less than `gapMs` between each and the next. What began before
 * `fromMs` is not counted, so the list holds the events of one gap before it. @throws TOO_MANY_GROUPS
 */
export async function walkSessions(
  { users, lists }: UserLists,
  { fromMs, starts, gapMs, cellsMax }: SessionsRequest,
  turn: Turn = createTurns(),
): Promise<{ readonly cells: readonly SessionCell[]; readonly all: SessionTotals }> {
  const cells = new Map<number, SessionCell>()
  const all = new SessionTotals()
  const [list] = lists
  if (list === undefined) return { cells: [], all }
  for (let user = 0; user < users; user++) {
    const end = list.starts[user + 1] as number
    for (let first = list.starts[user] as number; first < end; ) {
      const beginMs = list.times[first] as number
      let last = first
      let events = 1 + moreOf(list, first)
      while (last + 1 < end && (list.times[last + 1] as number) - endOf(list, last) < gapMs)
        events += 1 + moreOf(list, ++last)
      if (beginMs >= fromMs) {
        const bucket = periodOf(starts, beginMs)
        const group = list.groups[first] as number
        const key = group * starts.length + bucket
        let cell = cells.get(key)
        if (cell === undefined) {
          if (cells.size >= cellsMax)
            throw tooManyCells(cellsMax, 'buckets and groups with sessions', 'or use a longer interval')
          cell = { bucket, group, totals: new SessionTotals() }
          cells.set(key, cell)
        }
        const lengthMs = endOf(list, last) - beginMs
        cell.totals.add(user, events, lengthMs)
        all.add(user, events, lengthMs)
      }
      first = last + 1
    }
    const pause = turn(1 + end - (list.starts[user] as number))
    if (pause !== undefined) await pause
  }
  return { cells: [...cells.values()], all }
}

/** When the last event of a visit was, which a single event is itself. */
function endOf({ times, visits }: UserList, at: number): number {
  return (times[at] as number) + (visits === undefined ? 0 : (visits.lengths[at] as number))
}

function moreOf({ visits }: UserList, at: number): number {
  return visits === undefined ? 0 : (visits.more[at] as number)
}
