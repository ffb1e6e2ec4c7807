/** A gRPC message may have 16 MiB; a row that is larger than this page comes alone. */
export const PAGE_BYTES = 8 * 1024 * 1024

/** Rows of the page under way as JSON texts, in their order: so many, or as many as PAGE_BYTES hold, and at least one. */
export class BoundedPage<Place> {
  readonly #limit: number
  readonly #texts: string[] = []
  #bytes = 0
  #last: Place | null = null
  #isFull = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether something is known to follow that is not on it any more. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** So many rows it may still take. */
  get missing(): number {
    return this.#limit - this.#texts.length
  }

  /** At least one, so that a reading finds out whether anything follows. */
  get bytesLeft(): number {
    return Math.max(1, PAGE_BYTES - this.#bytes)
  }

  /** Of the last row that was added; null of none. */
  get last(): Place | null {
    return this.#last
  }

  get texts(): string[] {
    return this.#texts
  }

  /** Adds the row that follows those before, or ends the page before it. */
  add(text: string, place: Place): void {
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
}
