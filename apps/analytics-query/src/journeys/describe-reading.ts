import type { CostEstimate } from '../admission/estimate-cost.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { TimeRange } from '../query/time-range.js'
import type { MarksQuery } from './marks.js'

export interface Reading {
  readonly query: MarksQuery
  /** What was read of raw rows. */
  readonly raw: readonly TimeRange[]
  readonly packed: { readonly days: number; readonly bytes: number }
  readonly watermarkMs: number | null
  readonly estimate: CostEstimate | undefined
}

/** Everything that is stored is read, so an answer is of this moment. */
export function describeReading({ query, raw, packed, watermarkMs, estimate }: Reading): AnswerMeta {
  const [first] = raw
  const isRaw = raw.length === 1 && first?.fromMs === query.fromMs && first.toMs === query.toMs
  const source = raw.length === 0 ? 'rollup' : isRaw ? 'raw' : 'mixed'
  const plan = {
    source,
    packed_days: packed.days,
    packed_bytes: packed.bytes,
    raw: raw.map(describeRange),
    reasons: raw.length === 0 ? [PACKED] : [PACKED, RAW],
    ...(estimate !== undefined && { estimate }),
  }
  return { source, ageMs: 0, watermarkMs, plan }
}

const PACKED = 'finished days are read from packed days'
const RAW =
  'days that are not finished, not packed in the layout of this query yet, or changed by late events are read from raw rows'

function describeRange({ fromMs, toMs }: TimeRange): { from: string; to: string } {
  return { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
}
