import type { Result, Statement } from '@millrace/database'
import type { TimeRange } from '../query/time-range.js'
import { rowsOf } from '../sql/rows-of.js'
import { type CutDayRow, type CutMarksRow, cutDaysStatement, cutMarksStatement } from './cut-statements.js'
import type { CutWishes } from './cut-wishes.js'
import type { CutNeed, DayNeeds } from './day-needs.js'
import type { GroupNumbers } from './group-numbers.js'
import type { MarkChunk, MarksQuery } from './marks.js'
import {
  dayOf,
  type PackedDayRow,
  type PackedMarksRow,
  packedDaysStatement,
  packedMarksStatement,
} from './packed-days-statement.js'
import { rangesOf } from './use-days.js'

/** What packed days hold of a query. */
export interface PackedDays {
  /** Days that hold all of it, as 2026-11-21. */
  readonly days: readonly string[]
  /** The parts of the range that they answer. */
  readonly ranges: readonly TimeRange[]
  /** How much is to be read of them, and in how many values. */
  readonly bytes: number
  readonly values: number
  /** What reads it; results are handed to `toChunks` in the same order. */
  readonly statements: readonly Statement[]
  toChunks(results: readonly Result[], groups: GroupNumbers): Iterable<MarkChunk>
}

const NO_DAYS: PackedDays = { days: [], ranges: [], bytes: 0, values: 0, statements: [], toChunks: () => [] }

export interface Asked {
  readonly tenantId: number
  readonly query: MarksQuery
  /** What is read of packed days. */
  readonly range: TimeRange
  readonly needs: DayNeeds
}

/** What tells which days are packed as a query needs them; read in the transaction that then reads their marks. */
export function packedDaysStatements({ tenantId, range, needs }: Asked): Statement[] {
  return [
    ...(needs.plainMask === 0 ? [] : [packedDaysStatement({ tenantId, range, names: needs.names })]),
    ...(needs.cuts.length === 0 ? [] : [cutDaysStatement(tenantId, range, needs.cuts)]),
  ]
}

/** Takes the days that hold everything, but none of `taken`. Notes what would have to be packed for the others. */
export function choosePackedDays(
  asked: Asked,
  states: readonly Result[],
  { taken, wishes }: { readonly taken: readonly string[]; readonly wishes: CutWishes | undefined },
): PackedDays {
  const { range, needs } = asked
  const [plain, cut] = needs.plainMask === 0 ? [undefined, ...states] : states
  const cutDays = chooseCuts(rowsOf<CutDayRow>(cut), needs.cuts)
  noteWishes(asked, cutDays.wide, wishes)
  const plainDays = new Map(rowsOf<PackedDayRow>(plain).map(({ day, bytes }) => [day, bytes]))
  const isWhole = (day: string) =>
    !taken.includes(day) &&
    (needs.plainMask === 0 || plainDays.has(day)) &&
    cutDays.chosen.every((chosen) => chosen.has(day))
  const candidates = needs.plainMask === 0 ? [...(cutDays.chosen[0]?.keys() ?? [])] : [...plainDays.keys()]
  const days = candidates.filter(isWhole).sort()
  if (days.length === 0) return NO_DAYS
  const reads = [
    ...(needs.plainMask === 0 ? [] : [readPlain(asked, days)]),
    ...needs.cuts.flatMap((need, index) => readCuts(need, { chosen: cutDays.chosen[index], days, asked })),
  ]
  const bytesOf = (day: string) =>
    (needs.plainMask === 0 ? 0 : (plainDays.get(day) ?? 0)) +
    cutDays.chosen.reduce((sum, chosen) => sum + (chosen.get(day)?.bytes ?? 0), 0)
  return {
    days,
    ranges: rangesOf(days, range),
    bytes: days.reduce((sum, day) => sum + bytesOf(day), 0),
    values: days.length * ((needs.names?.length ?? 1) + needs.cuts.length),
    statements: reads.map(({ statement }) => statement),
    *toChunks(results, groups) {
      for (const [index, read] of reads.entries()) yield* read.toChunks(results[index], groups)
    },
  }
}

/** By need: the best cut of each day. Needs whose best cut is too wide on some day are `wide`. */
function chooseCuts(rows: readonly CutDayRow[], needs: readonly CutNeed[]) {
  const chosen = needs.map(() => new Map<string, CutDayRow>())
  const wide = new Set<number>()
  for (const row of rows) {
    if (row.is_wide) {
      if (row.rank === 0) wide.add(row.need)
      continue
    }
    const days = chosen[row.need] as Map<string, CutDayRow>
    const known = days.get(row.day)
    if (known === undefined || row.rank < known.rank) days.set(row.day, row)
  }
  return { chosen, wide }
}

function noteWishes({ tenantId, range, needs }: Asked, wide: ReadonlySet<number>, wishes: CutWishes | undefined): void {
  const fromDay = dayOf(range.fromMs)
  needs.cuts.forEach(({ event, cuts }, index) => {
    for (const [rank, cut] of cuts.entries())
      if (rank === 0 || wide.has(index)) wishes?.note({ tenantId, event, cut, fromDay })
  })
}

interface Read {
  readonly statement: Statement
  toChunks(result: Result | undefined, groups: GroupNumbers): Iterable<MarkChunk>
}

function readPlain({ tenantId, query, range, needs }: Asked, days: readonly string[]): Read {
  return {
    statement: packedMarksStatement(tenantId, needs.names, days),
    toChunks: (result) =>
      rowsOf<PackedMarksRow>(result).map(({ day, event, marks }) =>
        toChunk({ day, marks, mask: plainMaskOf(event, query, needs.plainMask), group: 0 }, range),
      ),
  }
}

/** Every event is any event too. With marks of any event by quarters, an event's own marks are among those as well: they say when exactly it was. */
function plainMaskOf(event: string, { conditions }: MarksQuery, plainMask: number): number {
  let mask = 0
  conditions.forEach((condition, index) => {
    if (condition.event === null || condition.event === event) mask |= 1 << index
  })
  return mask & plainMask
}

interface CutReading {
  readonly chosen: ReadonlyMap<string, CutDayRow> | undefined
  readonly days: readonly string[]
  readonly asked: Asked
}

/** A statement for each cut that is used on some days. */
function readCuts(need: CutNeed, { chosen, days, asked }: CutReading): Read[] {
  const { tenantId, query, range } = asked
  const byCut = new Map<number, { readonly rank: number; readonly days: string[] }>()
  for (const day of days) {
    const row = chosen?.get(day)
    if (row === undefined) continue
    const use = byCut.get(row.cut_id) ?? { rank: row.rank, days: [] }
    byCut.set(row.cut_id, use)
    use.days.push(day)
  }
  return [...byCut].map(([cutId, use]) => ({
    statement: cutMarksStatement(tenantId, need, { cutId, cut: need.cuts[use.rank] as string, days: use.days }),
    *toChunks(result, groups) {
      for (const row of rowsOf<CutMarksRow>(result)) {
        const group = (need.mask & 1) === 0 ? 0 : groups.numberOf(row)
        const chunk = toChunk({ day: row.day, marks: row.marks, mask: need.mask, group }, range)
        yield query.grain === 'visit' ? { ...chunk, layout: { of: 'visits', startMs: Date.parse(row.day) } } : chunk
      }
    },
  }))
}

/** The marks of a packed day, cut to the range. */
function toChunk(
  { day, marks, mask, group }: { day: string; marks: Buffer; mask: number; group: number },
  { fromMs, toMs }: TimeRange,
): MarkChunk {
  return { mask, group, layout: { of: 'day', startMs: Date.parse(day), fromMs, toMs }, bytes: marks }
}
