import type { Statement, Transaction } from '@millrace/database'
import type { ReadScope } from '../execute/read-scope.js'
import { rowsOf } from '../execute/rows-of.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../execute/watermark-statement.js'
import type { CostGuard } from '../guard/cost-guard.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { CutWishes } from './cut-wishes.js'
import { needsOf } from './day-needs.js'
import { describeReading } from './describe-reading.js'
import { GroupNumbers, tooManyGroups } from './group-numbers.js'
import type { MarkChunk, Marks, MarksQuery } from './marks.js'
import { marksStatement } from './marks-statement.js'
import { choosePackedDays, NO_DAYS, packedDaysStatements } from './packed-days.js'
import { packableRange, rangesWithout } from './use-days.js'

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
  /** Refuses what is too expensive, once it is known what packed days hold. Default: nothing is. */
  readonly guard?: Pick<CostGuard, 'admitMarks'> | undefined
}

/** Reads what users did, all of it in one snapshot: packed days where they say all that is asked, raw rows for the rest. */
export function createReadMarks(config: ReadMarksConfig, deps: ReadMarksDeps = {}): ReadMarks {
  return ({ tenantId, read }, query) => read((tx) => readAll(tx, { tenantId, query, config, deps }))
}

interface Reading {
  readonly tenantId: number
  readonly query: MarksQuery
  readonly config: ReadMarksConfig
  readonly deps: ReadMarksDeps
}

async function readAll(tx: Transaction, { tenantId, query, config, deps }: Reading) {
  const { groupsMax } = config
  const range = packableRange(query)
  const needs = config.hasPackedDays === true && range.fromMs < range.toMs ? needsOf(query) : undefined
  const asked = needs === undefined ? undefined : { tenantId, query, range, needs }
  const [watermarks, ...states] = await tx.pipeline([
    watermarkStatement(config),
    ...(asked === undefined ? [] : packedDaysStatements(asked)),
  ])
  const packed = asked === undefined ? NO_DAYS : choosePackedDays(asked, states, deps.wishes)
  const raw = rangesWithout(query, range, packed.days)
  const estimate = deps.guard?.admitMarks({ tenantId, query, raw, packed })
  const statements: Statement[] = [
    ...packed.statements,
    ...raw.map((range) => marksStatement({ tenantId, query: { ...query, ...range }, groupsMax })),
  ]
  const results = statements.length === 0 ? [] : await tx.pipeline(statements)
  const groups = new GroupNumbers(query.groupBy, groupsMax)
  const dayChunks = packed.toChunks(results, groups)
  const rows = results.slice(packed.statements.length).flatMap((result) => rowsOf<RawRow>(result))
  if (rows.length > groupsMax) throw tooManyGroups(groupsMax)
  const chunks = [...dayChunks, ...rows.map((row) => toRowsChunk(row, groups))]
  const watermarkMs = rowsOf<WatermarkRow>(watermarks)[0]?.watermark?.getTime() ?? null
  return {
    marks: { groups: groups.groups, chunks },
    meta: describeReading({ query, raw, packed, watermarkMs, estimate }),
  }
}

interface RawRow {
  readonly mask: number
  readonly bytes: Buffer
  readonly [group: `g${number}`]: unknown
}

function toRowsChunk(row: RawRow, groups: GroupNumbers): MarkChunk {
  return { mask: row.mask, group: groups.numberOf(row), layout: { of: 'rows' }, bytes: row.bytes }
}
