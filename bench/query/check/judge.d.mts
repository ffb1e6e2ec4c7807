export interface JudgedAnswer {
  readonly sentMs: number
  readonly receivedMs: number
  readonly ageMs: number
  readonly watermarkMs: number
  readonly isStale?: boolean
  readonly values: ReadonlyMap<string, number>
}

export interface Facts {
  readonly base: ReadonlyMap<string, number>
  readonly live: readonly {
    key: string
    amount: number
    committedMs: number
    visibleMs: number
    acknowledgedMs: number
  }[]
  readonly isClosed: boolean
  readonly isWhole?: boolean
}

export const LATE_BOUND_MS: number
export function findWrong(
  answer: JudgedAnswer,
  facts: Facts,
): { key: string; value: number; least: number; most: number }[]
