import { DAY_MS } from '@millrace/contracts'
import { type MarkChunk, ROW_BYTES } from './marks.js'
import type { UserTable } from './user-table.js'

/** The events of one condition: those of user u stand at starts[u] to starts[u + 1] - 1, in the order of (time, place). */
export interface UserList {
  readonly starts: Uint32Array
  /** Milliseconds since 1970. */
  readonly times: Float64Array
  readonly places: Float64Array
  readonly groups: Uint32Array
  /** Of visits: ms from the first event to the last, and how many events came after the first. Absent when all are single events. */
  readonly visits: { readonly lengths: Float64Array; readonly more: Uint32Array } | undefined
}

/** Hands out the marks of one chunk: numbers their users, counts them, and puts each where `next` says that its user's next one goes. */
export interface MarkReader {
  readonly mask: number
  /** How many there are, more or less. */
  readonly marks: number
  readonly hasVisits: boolean
  countInto(counts: Uint32Array): void
  putInto(list: UserList, next: Uint32Array): void
}

export function openMarks(chunk: MarkChunk, table: UserTable): MarkReader {
  switch (chunk.layout.of) {
    case 'rows':
      return readRows(chunk, chunk.layout, table)
    case 'day':
      return readDay(chunk, chunk.layout, table)
    case 'visits':
      return readVisits(chunk, chunk.layout, table)
  }
}

const EPOCH_2000_MS = 946_684_800_000
const WORD = 4_294_967_296

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}

type RowsLayout = Extract<MarkChunk['layout'], { of: 'rows' }>

function readRows({ mask, group, bytes }: MarkChunk, { groups }: RowsLayout, table: UserTable): MarkReader {
  const view = viewOf(bytes)
  const users = new Uint32Array(bytes.length / ROW_BYTES)
  for (let row = 0, at = 0; row < users.length; row++, at += ROW_BYTES)
    users[row] = table.numberOf(view.getUint32(at + 4), view.getUint32(at))
  return {
    mask,
    marks: users.length,
    hasVisits: false,
    countInto(counts) {
      for (const user of users) counts[user] = (counts[user] as number) + 1
    },
    putInto(list, next) {
      for (let row = 0, at = 0; row < users.length; row++, at += ROW_BYTES) {
        const user = users[row] as number
        const place = next[user] as number
        next[user] = place + 1
        list.times[place] = EPOCH_2000_MS + (view.getInt32(at + 8) * WORD + view.getUint32(at + 12)) / 1000
        list.places[place] = view.getInt32(at + 16) * WORD + view.getUint32(at + 20)
        list.groups[place] = groups === undefined ? group : (groups[row] as number)
      }
    },
  }
}

type DayLayout = Extract<MarkChunk['layout'], { of: 'day' }>

const USER_BYTES = 12
const DAY_MARK_BYTES = 8
const RANK_VALUES = 65_536

function readDay({ mask, group, bytes }: MarkChunk, layout: DayLayout, table: UserTable): MarkReader {
  const view = viewOf(bytes)
  const runs = numberRuns(view, table, DAY_MARK_BYTES)
  const { startMs, fromMs, toMs } = layout
  const isWhole = fromMs <= startMs && toMs >= startMs + DAY_MS
  const isKept = (at: number): boolean => {
    const ms = timeAt(view, at, startMs)
    return ms >= fromMs && ms < toMs
  }
  return {
    mask,
    marks: bytes.length / DAY_MARK_BYTES,
    hasVisits: false,
    countInto(counts) {
      for (let run = 0; run < runs.length; run += RUN_NUMBERS) {
        const user = runs[run] as number
        const begin = runs[run + 1] as number
        const end = runs[run + 2] as number
        let kept = (end - begin) / DAY_MARK_BYTES
        if (!isWhole) for (let at = begin; at < end; at += DAY_MARK_BYTES) if (!isKept(at)) kept--
        counts[user] = (counts[user] as number) + kept
      }
    },
    putInto({ times, places, groups }, next) {
      for (let run = 0; run < runs.length; run += RUN_NUMBERS) {
        const user = runs[run] as number
        const end = runs[run + 2] as number
        let place = next[user] as number
        for (let at = runs[run + 1] as number; at < end; at += DAY_MARK_BYTES) {
          if (!isWhole && !isKept(at)) continue
          times[place] = timeAt(view, at, startMs)
          // Lists begin as zeros, and most ranks and groups are 0: what is not written is not fetched either.
          const rank = view.getUint16(at + 6)
          if (rank !== 0) places[place] = rank
          if (group !== 0) groups[place] = group
          place++
        }
        next[user] = place
      }
    },
  }
}

const VISIT_BYTES = 20

function readVisits(
  { mask, bytes }: MarkChunk,
  { startMs }: Extract<MarkChunk['layout'], { of: 'visits' }>,
  table: UserTable,
): MarkReader {
  const view = viewOf(bytes)
  const runs = numberRuns(view, table, VISIT_BYTES)
  return {
    mask,
    marks: bytes.length / VISIT_BYTES,
    hasVisits: true,
    countInto(counts) {
      for (let run = 0; run < runs.length; run += RUN_NUMBERS) {
        const user = runs[run] as number
        const size = ((runs[run + 2] as number) - (runs[run + 1] as number)) / VISIT_BYTES
        counts[user] = (counts[user] as number) + size
      }
    },
    putInto({ times, places, visits }, next) {
      if (visits === undefined) throw new TypeError('a list of single events cannot hold visits')
      for (let run = 0; run < runs.length; run += RUN_NUMBERS) {
        const user = runs[run] as number
        const end = runs[run + 2] as number
        let place = next[user] as number
        for (let at = runs[run + 1] as number; at < end; at += VISIT_BYTES) {
          times[place] = timeAt(view, at, startMs)
          places[place] = view.getUint16(at + 6)
          visits.lengths[place] = (view.getUint32(at + 8) * WORD + view.getUint32(at + 12)) / 1000
          visits.more[place] = view.getUint32(at + 16) - 1
          place++
        }
        next[user] = place
      }
    },
  }
}

const RUN_NUMBERS = 3

/** Three numbers a run: its user, and where its marks begin and end. */
function numberRuns(view: DataView, table: UserTable, markBytes: number): Uint32Array {
  const runs = new Uint32Array(Math.ceil(view.byteLength / (USER_BYTES + markBytes)) * RUN_NUMBERS)
  let used = 0
  for (let at = 0; at < view.byteLength; ) {
    const begin = at + USER_BYTES
    const end = begin + view.getUint32(at + 8) * markBytes
    runs[used++] = table.numberOf(view.getUint32(at + 4), view.getUint32(at))
    runs[used++] = begin
    runs[used++] = end
    at = end
  }
  return runs.subarray(0, used)
}

function timeAt(view: DataView, at: number, startMs: number): number {
  return startMs + (view.getUint32(at) * RANK_VALUES + view.getUint16(at + 4)) / 1000
}
