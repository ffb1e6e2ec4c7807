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
}

/** Events of one set of conditions and one group, as they come from a source. */
export interface MarkChunk {
  /** Bit i is set when the events meet condition i. */
  readonly mask: number
  /** Index in `groups`. */
  readonly group: number
  /** Of MARK_BYTES each, in no order. */
  readonly bytes: Buffer
}

/**
 * A mark: the user's hash, the time in microseconds since 2000 and the place that decides between events of one time; 8 bytes each, big-endian.
 */
export const MARK_BYTES = 24

/** The place is partition * 2^40 + position: a number that a double holds exactly for 8,192 partitions of a million million events. */
export const PLACE_POSITION_BITS = 40

export interface Marks {
  readonly chunks: readonly MarkChunk[]
  /** The groups by index; one empty group without `groupBy`. */
  readonly groups: readonly (readonly (string | null)[])[]
}
