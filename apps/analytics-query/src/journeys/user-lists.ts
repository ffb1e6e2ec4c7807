import { MARK_BYTES, type MarkChunk } from './marks.js'
import { UserTable } from './user-table.js'

/** The events of one condition: those of user u stand at starts[u] to starts[u + 1] - 1, in the order of (time, place). */
export interface UserList {
  readonly starts: Uint32Array
  /** Milliseconds since 1970. */
  readonly times: Float64Array
  readonly places: Float64Array
  readonly groups: Uint32Array
}

export interface UserLists {
  /** Users are numbered from 0, the same in all lists. */
  readonly users: number
  /** One a condition. */
  readonly lists: readonly UserList[]
}

const EPOCH_2000_MS = 946_684_800_000
const WORD = 4_294_967_296

/** Sorts marks by user and time, by counting: the cost grows with the rows alone, however they lie. */
export function toUserLists(chunks: readonly MarkChunk[], conditions: number): UserLists {
  const table = new UserTable()
  const numbered = chunks.map((chunk) => ({ ...chunk, users: numberUsers(chunk.bytes, table) }))
  const lists = Array.from({ length: conditions }, (_, condition) =>
    toList(
      numbered.filter(({ mask }) => (mask & (1 << condition)) !== 0),
      table.size,
    ),
  )
  return { users: table.size, lists }
}

interface NumberedChunk extends MarkChunk {
  /** The user of each mark. */
  readonly users: Uint32Array
}

function numberUsers(bytes: Buffer, table: UserTable): Uint32Array {
  const view = viewOf(bytes)
  const users = new Uint32Array(bytes.length / MARK_BYTES)
  for (let row = 0, at = 0; row < users.length; row++, at += MARK_BYTES)
    users[row] = table.numberOf(view.getUint32(at + 4), view.getUint32(at))
  return users
}

function toList(chunks: readonly NumberedChunk[], users: number): UserList {
  const starts = new Uint32Array(users + 1)
  for (const chunk of chunks) for (const user of chunk.users) starts[user + 1] = (starts[user + 1] as number) + 1
  for (let user = 0; user < users; user++) starts[user + 1] = (starts[user + 1] as number) + (starts[user] as number)
  const size = starts[users] as number
  const list = {
    starts,
    times: new Float64Array(size),
    places: new Float64Array(size),
    groups: new Uint32Array(size),
  }
  const next = starts.slice()
  for (const { bytes, users: userOf, group } of chunks) {
    const view = viewOf(bytes)
    for (let row = 0, at = 0; row < userOf.length; row++, at += MARK_BYTES) {
      const user = userOf[row] as number
      const place = next[user] as number
      next[user] = place + 1
      list.times[place] = EPOCH_2000_MS + (view.getInt32(at + 8) * WORD + view.getUint32(at + 12)) / 1000
      list.places[place] = view.getInt32(at + 16) * WORD + view.getUint32(at + 20)
      list.groups[place] = group
    }
  }
  for (let user = 0; user < users; user++) sortRun(list, starts[user] as number, starts[user + 1] as number)
  return list
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Whether the event at `a` comes after the one at `b` of another or the same list, of the same user. */
export function isAfter(list: UserList, a: number, other: UserList, b: number): boolean {
  const [time, otherTime] = [list.times[a] as number, other.times[b] as number]
  return time > otherTime || (time === otherTime && (list.places[a] as number) > (other.places[b] as number))
}

/** Events mostly come in order, so most runs are found sorted. */
function sortRun(list: UserList, from: number, to: number): void {
  let isSorted = true
  for (let at = from + 1; at < to && isSorted; at++) isSorted = !isAfter(list, at - 1, list, at)
  if (isSorted) return
  const order = Array.from({ length: to - from }, (_, index) => from + index)
  order.sort((a, b) => (isAfter(list, a, list, b) ? 1 : -1))
  for (const values of [list.times, list.places, list.groups]) {
    const sorted = order.map((index) => values[index] as number)
    values.set(sorted, from)
  }
}
