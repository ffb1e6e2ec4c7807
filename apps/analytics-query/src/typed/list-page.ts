import { PAGE_BYTES } from '../events/events-page.js'
import type { ListPlace } from './list-query.js'

/** The rows of one page as JSON texts, in their order: so many, or as many as PAGE_BYTES hold, and at least one. */
export class ListPage {
  readonly #limit: number
  readonly #texts: string[] = []
  #bytes = 0
  #last: ListPlace | null = null
  #isFull = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether there is more, but not on this page. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Rows that there is room for. */
  get missing(): number {
    return this.#limit - this.#texts.length
  }

  /** At least one, so that a reading finds out whether anything follows. */
  get bytesLeft(): number {
    return Math.max(1, PAGE_BYTES - this.#bytes)
  }

  /** Of the last row that was added; null of none. */
  get last(): ListPlace | null {
    return this.#last
  }

  /** Adds a row, or ends the page before it. */
  add(text: string, place: ListPlace): void {
    const bytes = Buffer.byteLength(text) + 1
    if (this.#isFull || this.missing === 0 || (this.#last !== null && this.#bytes + bytes > PAGE_BYTES)) {
      this.#isFull = true
      return
    }
    this.#texts.push(text)
    this.#bytes += bytes
    this.#last = place
  }

  /** There are further rows, which were not read because of their size. */
  end(): void {
    this.#isFull = true
  }

  toJson(): Buffer {
    return Buffer.from(`[${this.#texts.join(',')}]`)
  }
}
