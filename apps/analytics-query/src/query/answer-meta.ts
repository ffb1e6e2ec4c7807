/** Where an answer came from and how old it is. */
export interface AnswerMeta {
  readonly source: 'rollup' | 'raw' | 'mixed'
  /** 0 only where everything that was stored at its moment is in it: such an answer over a closed range is kept for days. */
  readonly ageMs: number
  /** Up to when everything accepted is in the answer; null when no consumer has said so yet. */
  readonly watermarkMs: number | null
  /** For `explain`. */
  readonly plan: unknown
}
