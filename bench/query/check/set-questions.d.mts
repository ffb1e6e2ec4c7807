import type { Bounds } from './bounds.mjs'
import type { LiveEvent } from './judge.mjs'

export interface StoredEvent extends LiveEvent {
  readonly userId: string
  readonly event: string
  readonly timeMs: number
  readonly properties: Readonly<Record<string, unknown>>
}

export interface SetQuestion {
  readonly query: { readonly kind: string; readonly from: string; readonly to?: string }
  readonly isClosed: boolean
  readonly isIn: (event: StoredEvent) => boolean
  /** Reads what is stored before any live event, in the form that boundsOf takes. */
  readonly readBase: (database: unknown) => Promise<unknown>
  readonly boundsOf: (
    base: unknown,
    must: readonly StoredEvent[],
    may: readonly StoredEvent[],
  ) => ReadonlyMap<string, Bounds>
  readonly valuesOf: (points: readonly object[]) => ReadonlyMap<string, number | null>
}

export function createSetQuestions(data: { readonly endMs: number }): SetQuestion[]
