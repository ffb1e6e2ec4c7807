import { encodeCursor } from '../query/cursor.js'
import { toEventJson } from './event-json.js'
import type { EventRow } from './events-statements.js'

export interface EventsPage {
  readonly eventsJson: string[]
  readonly nextCursor: string
}

/** A gRPC message may have 16 MiB; an event that is larger than this page comes alone. */
export const PAGE_BYTES = 8 * 1024 * 1024

/** The page under way: so many events, or as many as PAGE_BYTES hold, and at least one. */
export class PageOfEvents {
  readonly #limit: number
  readonly #eventsJson: string[] = []
  #bytes = 0
  #last: EventRow | undefined
  #isFull = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether something is known to follow that is not on it any more. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** So many events it may still take. */
  get missing(): number {
    return this.#limit - this.#eventsJson.length
  }

  /** At least one, so that a reading finds out whether anything follows. */
  get bytesLeft(): number {
    return Math.max(1, PAGE_BYTES - this.#bytes)
  }

  /** Rows that follow those added before, in order. */
  add(rows: readonly EventRow[]): void {
    for (const row of rows) {
      const text = toEventJson(row)
      const bytes = this.#bytes + Buffer.byteLength(text)
      this.#isFull = this.missing === 0 || (bytes > PAGE_BYTES && this.#last !== undefined)
      if (this.#isFull) return
      this.#eventsJson.push(text)
      this.#bytes = bytes
      this.#last = row
    }
    this.#isFull = rows.at(-1)?.has_next === true
  }

  /** The whole walk was gone. */
  end(): EventsPage {
    const last = this.#last
    const place = last && {
      timestampUs: Number(last.timestamp_us),
      partition: last.partition,
      position: String(last.position),
    }
    return this.endAt(this.#isFull && place !== undefined ? encodeCursor(place) : '')
  }

  /** The walk goes on from a cursor, which lies behind all that is on the page. */
  endAt(nextCursor: string): EventsPage {
    return { eventsJson: this.#eventsJson, nextCursor }
  }
}
