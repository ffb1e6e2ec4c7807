import { errors } from '../errors.js'
import type { ReadScope } from '../execute/read-scope.js'
import { rowsOf } from '../execute/rows-of.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../execute/watermark-statement.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import { scalarText } from '../query/scalar-text.js'
import type { MarkChunk, Marks, MarksQuery } from './marks.js'
import { marksStatement } from './marks-statement.js'

export type ReadMarks = (scope: ReadScope, query: MarksQuery) => Promise<{ marks: Marks; meta: AnswerMeta }>

export interface ReadMarksConfig extends WatermarkConfig {
  /** Most groups times sets of conditions of one query. */
  readonly groupsMax: number
}

/** Reads what users did, all of it in one snapshot. */
export function createReadMarks(config: ReadMarksConfig): ReadMarks {
  return async function readMarks({ tenantId, read }, query) {
    return await read(async (tx) => {
      const [watermarks, rows] = await tx.pipeline([
        watermarkStatement(config),
        marksStatement({ tenantId, query, groupsMax: config.groupsMax }),
      ])
      const marks = toMarks(rowsOf(rows), query, config.groupsMax)
      const [row] = rowsOf<WatermarkRow>(watermarks)
      return { marks, meta: describeReading(query, row?.watermark?.getTime() ?? null) }
    })
  }
}

function toMarks(rows: readonly Readonly<Record<string, unknown>>[], query: MarksQuery, groupsMax: number): Marks {
  if (rows.length > groupsMax) {
    throw errors.TOO_MANY_GROUPS({
      message: `the query has more than ${groupsMax} groups: filter or group by fewer fields`,
      details: { groupsMax },
    })
  }
  const numbers = new Map<string, number>()
  const groups: (string | null)[][] = []
  const chunks = rows.map((row): MarkChunk => {
    const group = query.groupBy.map((_, index) => scalarText(row[`g${index}`]))
    const key = JSON.stringify(group)
    let number = numbers.get(key)
    if (number === undefined) {
      number = groups.length
      numbers.set(key, number)
      groups.push(group)
    }
    return { mask: row.mask as number, group: number, bytes: row.bytes as Buffer }
  })
  return { chunks, groups }
}

function describeReading({ fromMs, toMs }: MarksQuery, watermarkMs: number | null): AnswerMeta {
  const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
  return {
    source: 'raw',
    ageMs: 0,
    watermarkMs,
    plan: { source: 'raw', raw: [range], reasons: ['users are followed one by one'] },
  }
}
