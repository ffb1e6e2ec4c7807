import type { AnswerMeta } from '../query/answer-meta.js'

/** The meta of an answer that combines the range and its previous period. */
export function mergeMetas(current: AnswerMeta, previous: AnswerMeta): AnswerMeta {
  const marks = [current.watermarkMs, previous.watermarkMs].filter((mark) => mark !== null)
  return {
    source: current.source === previous.source ? current.source : 'mixed',
    ageMs: Math.max(current.ageMs, previous.ageMs),
    watermarkMs: marks.length < 2 ? null : Math.min(...marks),
    plan: { current: current.plan, previous: previous.plan },
  }
}
