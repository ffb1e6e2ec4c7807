import { type MarkReader, openMarks, type UserList } from './mark-reader.js'
import type { MarkChunk } from './marks.js'
import { CHUNK_MARKS, createTurns, type Turn } from './turns.js'
import { UserTable } from './user-table.js'

export interface UserLists {
  /** Users are numbered from 0, the same in all lists. */
  readonly users: number
  /** One a condition. */
  readonly lists: readonly UserList[]
}

/** Sorts marks by user and time, by counting: the cost grows with the marks alone, however they lie. Lets other work in between. */
export async function toUserLists(
  chunks: readonly MarkChunk[],
  conditions: number,
  turn: Turn = createTurns(),
): Promise<UserLists> {
  const table = new UserTable()
  const readers: MarkReader[] = []
  for (const chunk of chunks) {
    const reader = openMarks(chunk, table)
    readers.push(reader)
    const pause = turn(CHUNK_MARKS + reader.marks)
    if (pause !== undefined) await pause
  }
  const lists: UserList[] = []
  for (let condition = 0; condition < conditions; condition++) {
    const own = readers.filter(({ mask }) => (mask & (1 << condition)) !== 0)
    lists.push(await toList(own, table.size, turn))
  }
  return { users: table.size, lists }
}

async function toList(readers: readonly MarkReader[], users: number, turn: Turn): Promise<UserList> {
  const starts = new Uint32Array(users + 1)
  const counts = starts.subarray(1)
  for (const reader of readers) {
    reader.countInto(counts)
    const pause = turn(CHUNK_MARKS + reader.marks)
    if (pause !== undefined) await pause
  }
  for (let user = 0; user < users; user++) starts[user + 1] = (starts[user + 1] as number) + (starts[user] as number)
  const size = starts[users] as number
  const list = {
    starts,
    times: new Float64Array(size),
    places: new Float64Array(size),
    groups: new Uint32Array(size),
    visits: readers.some(({ hasVisits }) => hasVisits)
      ? { lengths: new Float64Array(size), more: new Uint32Array(size) }
      : undefined,
  }
  const next = starts.slice()
  for (const reader of readers) {
    reader.putInto(list, next)
    const pause = turn(CHUNK_MARKS + reader.marks)
    if (pause !== undefined) await pause
  }
  for (let user = 0; user < users; user++) {
    const from = starts[user] as number
    const to = starts[user + 1] as number
    sortRun(list, from, to)
    const pause = turn(1 + to - from)
    if (pause !== undefined) await pause
  }
  return list
}

/** Whether the event at `a` comes after the one at `b` of another or the same list, of the same user. */
export function isAfter(list: UserList, a: number, other: UserList, b: number): boolean {
  const time = list.times[a] as number
  const otherTime = other.times[b] as number
  return time > otherTime || (time === otherTime && (list.places[a] as number) > (other.places[b] as number))
}

/** Moves for each event of a run up to which putting events into their places one by one is the quickest way. */
const MOVES_MAX = 16

/** Events mostly come in order, or nearly so: those of a day come by names and groups. */
function sortRun(list: UserList, from: number, to: number): void {
  let moves = (to - from) * MOVES_MAX
  for (let at = from + 1; at < to; at++) {
    if (!isAfter(list, at - 1, list, at)) continue
    if (moves <= 0 || list.visits !== undefined) {
      sortFar(list, from, to)
      return
    }
    moves -= moveBack(list, from, at)
  }
}

/** Moves an event before those that come after it; returns how far. */
function moveBack({ times, places, groups }: UserList, from: number, at: number): number {
  const time = times[at] as number
  const place = places[at] as number
  const group = groups[at] as number
  let to = at
  for (; to > from; to--) {
    const before = times[to - 1] as number
    if (before < time || (before === time && (places[to - 1] as number) <= place)) break
    times[to] = before
    places[to] = places[to - 1] as number
    groups[to] = groups[to - 1] as number
  }
  times[to] = time
  places[to] = place
  groups[to] = group
  return at - to
}

function sortFar(list: UserList, from: number, to: number): void {
  const order = Array.from({ length: to - from }, (_, index) => from + index)
  order.sort((a, b) => (isAfter(list, a, list, b) ? 1 : isAfter(list, b, list, a) ? -1 : 0))
  const visits = list.visits === undefined ? [] : [list.visits.lengths, list.visits.more]
  for (const values of [list.times, list.places, list.groups, ...visits]) {
    const sorted = order.map((index) => values[index] as number)
    values.set(sorted, from)
  }
}
