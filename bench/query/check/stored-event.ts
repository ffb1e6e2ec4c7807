import type { LiveEvent } from './judge.js'

/** An event that was sent during the check, with the instants of its commit. */
export interface StoredEvent extends LiveEvent {
  readonly userId: string
  readonly event: string
  readonly timeMs: number
  readonly properties: Readonly<Record<string, unknown>>
}

/** An element of an answer's `data`; which fields it has depends on the kind of query. */
export interface Point {
  readonly time?: string
  readonly step?: number
  readonly period?: number
  readonly value?: number | null
  readonly previous?: number | null
  readonly group?: Readonly<Record<string, unknown>>
  readonly values?: Readonly<Record<string, number | null>>
}
