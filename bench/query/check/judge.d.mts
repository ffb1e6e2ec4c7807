import type { Bounds } from './bounds.mjs'

export interface JudgedAnswer {
  readonly sentMs: number
  readonly receivedMs: number
  readonly ageMs: number
  readonly watermarkMs: number
  readonly isStale?: boolean
  readonly values: ReadonlyMap<string, number>
}

export interface LiveEvent {
  readonly committedMs: number
  readonly visibleMs: number
  readonly acknowledgedMs: number
}

export interface SetFacts<Event extends LiveEvent> {
  readonly live: readonly Event[]
  readonly isClosed: boolean
  readonly boundsOf: (must: readonly Event[], may: readonly Event[]) => ReadonlyMap<string, Bounds>
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
export function findOutside<Event extends LiveEvent>(
  answer: Omit<JudgedAnswer, 'values'> & { readonly values: ReadonlyMap<string, number | null> },
  facts: SetFacts<Event>,
): { key: string; value: number; least: number; most: number }[]
