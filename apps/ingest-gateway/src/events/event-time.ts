import { MINUTE_MS } from '@millrace/contracts'
import { readNumber } from '@millrace/rollups'
import { type EventRow, KIND } from './event-row.js'
import { FIELD } from './event-table.js'
import { parseTimestamp } from './parse-timestamp.js'
import type { RejectionCode } from './rejections.js'

export interface TimeLimits {
  /** How far an event's time may lie in the past and in the future, in ms. */
  ageMaxMs: number
  aheadMaxMs: number
  /** Largest error of a client's clock that is corrected although the uncorrected time would be valid too, in ms; 0 corrects nothing. */
  clockErrorMaxMs: number
}

const A_TIME =
  'an RFC 3339 time with an offset, such as 2026-11-21T08:00:00.000Z, or a number of seconds or milliseconds since 1970'

/** Smaller numbers are seconds: as milliseconds they would end in March 1973, as seconds they reach the year 5138. */
const SECONDS_MAX = 1e11
/** The last time that a Date can hold. */
const TIME_MAX_MS = 8.64e15
/** Below this the difference is the time that the request took, not an error of the clock. */
const TRANSIT_MS = MINUTE_MS
/** Segment's protocol is younger than this, so a request that says it was sent earlier has a wrong clock, and is no old request. */
const FIRST_SENT_MS = Date.UTC(2011, 0, 1)

/** Decides when an event happened. One instance serves all requests, one event at a time. */
export class EventTime {
  readonly #limits: TimeLimits
  /** The decision about the event that was read last, in ms since 1970. */
  timestampMs = 0
  /** The time that the client gave, if `timestampMs` is not that time; else NaN. */
  originalMs = Number.NaN
  #receivedAtMs = 0
  /** Where the `sentAt` that was read last begins: events that inherit it share it. */
  #sentAtStart = 0
  #sentAtMs = Number.NaN

  constructor(limits: TimeLimits) {
    this.#limits = limits
  }

  /** Turns to another request. */
  begin(receivedAtMs: number): void {
    this.#receivedAtMs = receivedAtMs
    this.#sentAtStart = 0
  }

  /** Decides for one event. Returns the code of a rejection, or undefined. */
  read(event: EventRow): RejectionCode | undefined {
    this.originalMs = Number.NaN
    const field = event.isUnset(FIELD.timestamp) ? FIELD.originalTimestamp : FIELD.timestamp
    if (event.isUnset(field)) {
      this.timestampMs = this.#receivedAtMs
      return undefined
    }
    const own = readTime(event, field)
    if (Number.isNaN(own)) {
      event.explain(field, A_TIME, event.kind(field) === KIND.text ? 'another string' : undefined)
      return 'invalid_timestamp'
    }
    const time = this.#decide(event, own)
    if (!this.#isInRange(time)) return 'timestamp_out_of_range'
    this.timestampMs = time
    if (time !== own) this.originalMs = own
    return undefined
  }

  #decide(event: EventRow, own: number): number {
    if (this.#wasReceivedBefore(event, own)) return own
    const sentAt = this.#readSentAt(event)
    const error = this.#receivedAtMs - sentAt
    const size = Math.abs(error)
    const max = this.#limits.clockErrorMaxMs
    // An event cannot be younger than the request that carries it, so a sentAt that says so is not from the same clock. This is also false for NaN.
    const isPlausible = own <= sentAt + TRANSIT_MS && max > 0
    if (!isPlausible || size < TRANSIT_MS) return own
    const corrected = own + error
    if (size <= max) return this.#isInRange(corrected) ? corrected : own
    const isClockWrong = error < 0 || sentAt < FIRST_SENT_MS
    return isClockWrong && !this.#isInRange(own) ? corrected : own
  }

  /** Whether the event comes from an archive or another server, whose `timestamp` is corrected already. Keeps its original time then. */
  #wasReceivedBefore(event: EventRow, own: number): boolean {
    if (event.start(FIELD.originalTimestamp) !== 0 && !event.isUnset(FIELD.timestamp)) {
      const original = readTime(event, FIELD.originalTimestamp)
      if (!Number.isNaN(original)) {
        if (original !== own) this.originalMs = original
        return true
      }
    }
    return event.start(FIELD.receivedAt) !== 0 && !Number.isNaN(readTime(event, FIELD.receivedAt))
  }

  #readSentAt(event: EventRow): number {
    const start = event.start(FIELD.sentAt)
    if (start === 0) return Number.NaN
    if (start !== this.#sentAtStart) {
      this.#sentAtStart = start
      this.#sentAtMs = readTime(event, FIELD.sentAt)
    }
    return this.#sentAtMs
  }

  #isInRange(time: number): boolean {
    return time >= this.#receivedAtMs - this.#limits.ageMaxMs && time <= this.#receivedAtMs + this.#limits.aheadMaxMs
  }
}

/** The time in a field in ms since 1970; NaN when it is no time. */
function readTime(event: EventRow, field: number): number {
  const kind = event.kind(field)
  const start = event.start(field)
  if (kind === KIND.text) return parseTimestamp(event.bytes, start + 1, event.end(field) - 1)
  if (kind !== KIND.number) return Number.NaN
  const value = readNumber(event.bytes, start)
  const time = Math.abs(value) < SECONDS_MAX ? Math.round(value * 1000) : Math.floor(value)
  return Math.abs(time) <= TIME_MAX_MS ? time : Number.NaN
}
