import type { Result, Transaction } from '@millrace/database'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { ReadScope } from '../reads/read-scope.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../reads/watermark-statement.js'
import { rowsOf } from '../sql/rows-of.js'
import type { CutWishes } from './cut-wishes.js'
import { needsOf } from './day-needs.js'
import { describeReading } from './describe-reading.js'
import { GroupNumbers, tooManyGroups } from './group-numbers.js'
import type { MarkChunk, Marks, MarksQuery } from './marks.js'
import { marksStatement } from './marks-statement.js'
import { type Asked, choosePackedDays, type PackedDays, packedDaysStatements } from './packed-days.js'
import { type RawRow, toRowsChunks } from './rows-chunks.js'
import { CHUNK_MARKS, createTurns } from './turns.js'
import { packableRange, rangesWithout } from './use-days.js'
import { usersAsked } from './users-asked.js'

export type ReadMarks = (scope: ReadScope, query: MarksQuery) => Promise<{ marks: Marks; meta: AnswerMeta }>

export interface ReadMarksConfig extends WatermarkConfig {
  /** Most groups times sets of conditions of one query. */
  readonly groupsMax: number
  /** Whether days are packed; otherwise everything is read from raw rows. Default false. */
  readonly hasPackedDays?: boolean
}

export interface ReadMarksDeps {
  /** Told what is asked of packed days. Default: nobody is. */
  readonly wishes?: CutWishes
}

/**
 * Reads what users did, all of it in one snapshot: packed days where they say all that is asked, raw rows for the rest. The admission is asked once it is known
 * what packed days hold.
 */
export function createReadMarks(config: ReadMarksConfig, deps: ReadMarksDeps = {}): ReadMarks {
  return ({ tenantId, admission, read }, query) =>
    read((tx) => readAll(tx, { tenantId, admission, query, config, deps }))
}

interface Reading extends Pick<ReadScope, 'tenantId' | 'admission'> {
  readonly query: MarksQuery
  readonly config: ReadMarksConfig
  readonly deps: ReadMarksDeps
}

async function readAll(tx: Transaction, { tenantId, admission, query, config, deps }: Reading) {
  const { groupsMax } = config
  const userHashes = usersAsked(query, tenantId)
  const ways = config.hasPackedDays === true && userHashes === null ? waysOf(tenantId, query) : []
  const [watermarks, ...states] = await tx.pipeline([watermarkStatement(config), ...ways.flatMap(packedDaysStatements)])
  const packed = choosePacked(ways, states, deps.wishes)
  const raw = rangesWithout(
    query,
    packed.flatMap(({ ranges }) => ranges),
  )
  const sizes = { bytes: sum(packed, ({ bytes }) => bytes), values: sum(packed, ({ values }) => values) }
  const work = { tenantId, query, raw, userHashes, packed: sizes, cellsMax: groupsMax }
  const estimate = await admission?.admitMarks(work)
  const statements = [
    ...packed.flatMap((days) => days.statements),
    ...raw.map((range) => marksStatement({ tenantId, query: { ...query, ...range }, groupsMax })),
  ]
  const results = statements.length === 0 ? [] : await tx.pipeline(statements)
  const groups = new GroupNumbers(query.groupBy, groupsMax)
  const chunks = await toChunks(packed, results, groups)
  const watermarkMs = rowsOf<WatermarkRow>(watermarks)[0]?.watermark?.getTime() ?? null
  return {
    marks: { groups: groups.groups, chunks },
    meta: describeReading({
      query,
      raw,
      packed: { days: sum(packed, ({ days }) => days.length), bytes: sizes.bytes },
      watermarkMs,
      estimate,
    }),
  }
}

/** Results are those of packed days, then those of raw rows. */
async function toChunks(
  packed: readonly PackedDays[],
  results: readonly Result[],
  groups: GroupNumbers,
): Promise<MarkChunk[]> {
  const turn = createTurns()
  const left = [...results]
  const chunks: MarkChunk[] = []
  for (const days of packed) {
    for (const chunk of days.toChunks(left.splice(0, days.statements.length), groups)) {
      chunks.push(chunk)
      const pause = turn(CHUNK_MARKS)
      if (pause !== undefined) await pause
    }
  }
  const rows = left.flatMap((result) => rowsOf<RawRow>(result))
  if (rows.length > groups.groupsMax) throw tooManyGroups(groups.groupsMax)
  for (const chunk of await toRowsChunks(rows, groups, turn)) chunks.push(chunk)
  return chunks
}

/** The ways in which packed days may answer a query, best first: where visits are not packed, events are. */
function waysOf(tenantId: number, query: MarksQuery): Asked[] {
  const queries = query.grain === 'visit' ? [query, { ...query, grain: 'event' as const }] : [query]
  return queries.flatMap((way) => {
    const range = packableRange(way)
    const needs = range.fromMs < range.toMs ? needsOf(way) : undefined
    return needs === undefined ? [] : [{ tenantId, query: way, range, needs }]
  })
}

function choosePacked(ways: readonly Asked[], states: readonly Result[], wishes: CutWishes | undefined): PackedDays[] {
  const chosen: PackedDays[] = []
  const left = [...states]
  for (const way of ways) {
    const own = left.splice(0, packedDaysStatements(way).length)
    chosen.push(choosePackedDays(way, own, { taken: chosen.flatMap(({ days }) => days), wishes }))
  }
  return chosen
}

function sum<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((total, item) => total + pick(item), 0)
}
