import type { Transaction } from '@millrace/database'
import { errors } from '../errors.js'
import type { ReadScope } from '../execute/read-scope.js'
import { rowsOf } from '../execute/rows-of.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../execute/watermark-statement.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import { scalarText } from '../query/scalar-text.js'
import { describeReading } from './describe-reading.js'
import type { MarkChunk, Marks, MarksQuery } from './marks.js'
import { marksStatement } from './marks-statement.js'
import { canUseDays, type PackedDayRow, packedDaysStatement } from './packed-days-statement.js'
import { rangesWithout, toDayChunks } from './use-days.js'

export type ReadMarks = (scope: ReadScope, query: MarksQuery) => Promise<{ marks: Marks; meta: AnswerMeta }>

export interface ReadMarksConfig extends WatermarkConfig {
  /** Most groups times sets of conditions of one query. */
  readonly groupsMax: number
  /** Whether days are packed; otherwise everything is read from raw rows. Default false. */
  readonly hasPackedDays?: boolean
}

/** Reads what users did, all of it in one snapshot: packed days where they say all that is asked, raw rows for the rest. */
export function createReadMarks(config: ReadMarksConfig): ReadMarks {
  return ({ tenantId, read }, query) => read((tx) => readAll(tx, { tenantId, query, config }))
}

interface Reading {
  readonly tenantId: number
  readonly query: MarksQuery
  readonly config: ReadMarksConfig
}

async function readAll(tx: Transaction, { tenantId, query, config }: Reading) {
  const { groupsMax } = config
  const isPacked = config.hasPackedDays === true && canUseDays(query)
  const [watermarks, days] = await tx.pipeline([
    watermarkStatement(config),
    ...(isPacked ? [packedDaysStatement(tenantId, query)] : []),
  ])
  const packed = rowsOf<PackedDayRow>(days).filter(({ is_late }) => !is_late)
  const raw = rangesWithout(query, [...new Set(packed.map(({ day }) => day))])
  const statements = raw.map((range) => marksStatement({ tenantId, query: { ...query, ...range }, groupsMax }))
  const results = statements.length === 0 ? [] : await tx.pipeline(statements)
  const marks = toMarks(
    results.flatMap((result) => rowsOf<RawRow>(result)),
    query,
    groupsMax,
  )
  const chunks = [...toDayChunks(packed, query), ...marks.chunks]
  const watermarkMs = rowsOf<WatermarkRow>(watermarks)[0]?.watermark?.getTime() ?? null
  return { marks: { ...marks, chunks }, meta: describeReading({ query, raw, isPacked, watermarkMs }) }
}

type RawRow = Readonly<Record<string, unknown>>

function toMarks(rows: readonly RawRow[], query: MarksQuery, groupsMax: number): Marks {
  if (rows.length > groupsMax) {
    throw errors.TOO_MANY_GROUPS({
      message: `the query has more than ${groupsMax} groups: filter or group by fewer fields`,
      details: { groupsMax },
    })
  }
  const numbers = new Map<string, number>()
  const groups: (string | null)[][] = []
  if (query.groupBy.length === 0) {
    numbers.set('[]', 0)
    groups.push([])
  }
  const chunks = rows.map((row): MarkChunk => {
    const group = query.groupBy.map((_, index) => scalarText(row[`g${index}`]))
    const key = JSON.stringify(group)
    let number = numbers.get(key)
    if (number === undefined) {
      number = groups.length
      numbers.set(key, number)
      groups.push(group)
    }
    return { mask: row.mask as number, group: number, layout: { of: 'rows' }, bytes: row.bytes as Buffer }
  })
  return { chunks, groups }
}
