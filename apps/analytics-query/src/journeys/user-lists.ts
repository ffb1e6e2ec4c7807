import { type MarkReader, openMarks, type UserList } from './mark-reader.js'
import type { MarkChunk } from './marks.js'
import { UserTable } from './user-table.js'

export interface UserLists {
  /** Users are numbered from 0, the same in all lists. */
  readonly users: number
  /** One a condition. */
  readonly lists: readonly UserList[]
}

/** Sorts marks by user and time, by counting: the cost grows with the marks alone, however they lie. */
export function toUserLists(chunks: readonly MarkChunk[], conditions: number): UserLists {
  const table = new UserTable()
  const readers = chunks.map((chunk) => openMarks(chunk, table))
  const lists = Array.from({ length: conditions }, (_, condition) =>
    toList(
      readers.filter(({ mask }) => (mask & (1 << condition)) !== 0),
      table.size,
    ),
  )
  return { users: table.size, lists }
}

function toList(readers: readonly MarkReader[], users: number): UserList {
  const starts = new Uint32Array(users + 1)
  const counts = starts.subarray(1)
  for (const reader of readers) reader.countInto(counts)
  for (let user = 0; user < users; user++) starts[user + 1] = (starts[user + 1] as number) + (starts[user] as number)
  const size = starts[users] as number
  const list = {
    starts,
    times: new Float64Array(size),
    places: new Float64Array(size),
    groups: new Uint32Array(size),
  }
  const next = starts.slice()
  for (const reader of readers) reader.putInto(list, next)
  for (let user = 0; user < users; user++) sortRun(list, starts[user] as number, starts[user + 1] as number)
  return list
}

/** Whether the event at `a` comes after the one at `b` of another or the same list, of the same user. */
export function isAfter(list: UserList, a: number, other: UserList, b: number): boolean {
  const time = list.times[a] as number
  const otherTime = other.times[b] as number
  return time > otherTime || (time === otherTime && (list.places[a] as number) > (other.places[b] as number))
}

/** Events mostly come in order, so most runs are found sorted. */
function sortRun(list: UserList, from: number, to: number): void {
  let isSorted = true
  for (let at = from + 1; at < to && isSorted; at++) isSorted = !isAfter(list, at - 1, list, at)
  if (isSorted) return
  const order = Array.from({ length: to - from }, (_, index) => from + index)
  order.sort((a, b) => (isAfter(list, a, list, b) ? 1 : isAfter(list, b, list, a) ? -1 : 0))
  for (const values of [list.times, list.places, list.groups]) {
    const sorted = order.map((index) => values[index] as number)
    values.set(sorted, from)
  }
}
