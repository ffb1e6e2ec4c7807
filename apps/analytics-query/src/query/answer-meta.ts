/** How an answer was read, and how old it is. */
export interface AnswerMeta {
  readonly source: 'rollup' | 'raw' | 'mixed'
  /** 0 only when the answer contains everything that was stored when it was read: then it may be cached for days. */
  readonly ageMs: number
  /** Everything accepted up to this time is in the answer; null while some partition was never consumed. */
  readonly watermarkMs: number | null
  /** For `explain`. */
  readonly plan: unknown
}
