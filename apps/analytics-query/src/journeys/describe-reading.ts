import type { TimeRange } from '../plan/plan.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { MarksQuery } from './marks.js'

export interface Reading {
  readonly query: MarksQuery
  /** What was read of raw rows. */
  readonly raw: readonly TimeRange[]
  readonly isPacked: boolean
  readonly watermarkMs: number | null
}

/** Everything that is stored is read, so an answer is of this moment. */
export function describeReading({ query, raw, isPacked, watermarkMs }: Reading): AnswerMeta {
  const [first] = raw
  const isRaw = raw.length === 1 && first?.fromMs === query.fromMs && first.toMs === query.toMs
  const source = raw.length === 0 ? 'rollup' : isRaw ? 'raw' : 'mixed'
  const reason = isPacked
    ? 'days that are over are packed by user'
    : 'filters, groups and days that are not packed need raw rows'
  const plan = { source, raw: raw.map(describeRange), reasons: [reason] }
  return { source, ageMs: 0, watermarkMs, plan }
}

function describeRange({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}
