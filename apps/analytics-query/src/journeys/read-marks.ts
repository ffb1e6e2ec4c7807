import type { Statement } from '@millrace/database'
import { errors } from '../errors.js'
import type { ReadScope } from '../execute/read-scope.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import { scalarText } from '../query/scalar-text.js'
import type { MarkChunk, Marks, MarksQuery } from './marks.js'
import { marksStatement } from './marks-statement.js'

export type ReadMarks = (scope: ReadScope, query: MarksQuery) => Promise<{ marks: Marks; meta: AnswerMeta }>

export interface ReadMarksConfig {
  readonly stream: string
  readonly consumerGroup: string
  /** Most groups times sets of conditions of one query. */
  readonly groupsMax: number
}

/** Reads what users did, all of it in one snapshot. */
export function createReadMarks(config: ReadMarksConfig): ReadMarks {
  return async function readMarks({ tenantId, read }, query) {
    return await read(async (tx) => {
      const [watermarks, rows] = await tx.pipeline([
        selectWatermark(config),
        marksStatement({ tenantId, query, groupsMax: config.groupsMax }),
      ])
      const marks = toMarks((rows?.rows ?? []) as Readonly<Record<string, unknown>>[], query, config.groupsMax)
      const [row] = (watermarks?.rows ?? []) as { watermark: Date | null }[]
      return { marks, meta: describeReading(query, row?.watermark?.getTime() ?? null) }
    })
  }
}

/** Of a partition that nobody has read yet nothing is known, and so nothing of the whole. */
function selectWatermark(config: ReadMarksConfig): Statement {
  return {
    name: 'stream_watermark',
    text: 'select case when count(*) = count(watermark) then min(watermark) end as watermark from stream_partitions where group_name = $1 and stream = $2',
    values: [config.consumerGroup, config.stream],
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
