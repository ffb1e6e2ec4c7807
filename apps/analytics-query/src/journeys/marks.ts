import type { FieldPath } from '../query/field-path.js'
import type { Filter } from '../query/filter.js'

/** Which events count as one thing that users do. */
export interface MarkCondition {
  /** null: any. */
  readonly event: string | null
  readonly filters: readonly Filter[]
}

/** What is read of every user. */
export interface MarksQuery {
  readonly fromMs: number
  readonly toMs: number
  /** 1 to 10; an event may meet several. */
  readonly conditions: readonly MarkCondition[]
  /** Fields of the events that meet the first condition. */
  readonly groupBy: readonly FieldPath[]
  /**
   * `quarter`: of conditions for any event only the first of each user in each quarter of an hour matters. `visit`: of the only condition, which has
   * neither filters nor groups, only runs of events matter, with less than half an hour between each and the next.
   */
  readonly grain: 'event' | 'quarter' | 'visit'
  /** Most cells of the answer for one group, for the admission. */
  readonly cellsPerGroup: number
}

/** Packed visits are good for every gap from here on. */
export const VISIT_GAP_MS = 1_800_000

export const QUARTER_MS = 900_000

/** Events of one set of conditions and one group, as they come from a source. */
export interface MarkChunk {
  /** Bit i is set when the events meet condition i. */
  readonly mask: number
  /** Index in `groups`. */
  readonly group: number
  readonly layout: MarkLayout
  readonly bytes: Buffer
}

export type MarkLayout =
  /**
   * In no order: the user's hash, the time in microseconds since 2000, and the place that decides between events of one time, partition * 2^40 +
   * position; 8 bytes each, big-endian. `groups` has the group of each row, where they are not all of the chunk's.
   */
  | { readonly of: 'rows'; readonly groups?: Uint32Array }
  /**
   * A day by users: the user's hash (8 bytes), the number of marks (4), and each mark in its order (8): microseconds since the day began * 2^16 +
   * rank among the user's events of that time. Marks outside [fromMs, toMs) do not count.
   */
  | { readonly of: 'day'; readonly startMs: number; readonly fromMs: number; readonly toMs: number }
  /** As `day`, but visits instead of marks, and whole: the mark of its first event (8 bytes), microseconds to its last one (8), its events (4). */
  | { readonly of: 'visits'; readonly startMs: number }

/** Of a mark in rows. */
export const ROW_BYTES = 24

/** A double holds the place exactly for 8,192 partitions of a million million events. */
export const PLACE_POSITION_BITS = 40

export interface Marks {
  readonly chunks: readonly MarkChunk[]
  /** The groups by index; one empty group without `groupBy`. */
  readonly groups: readonly (readonly (string | null)[])[]
}
