/** Half of what a gRPC message may hold; a larger row is alone on its page. */
export const PAGE_BYTES_MAX = 8 * 1024 * 1024

/** Rows as JSON texts, in their order: at most `rowsMax`, and as many as fit into PAGE_BYTES_MAX, but at least one. */
export class BoundedPage<Position> {
  readonly #rowsMax: number
  readonly #texts: string[] = []
  #bytes = 0
  #last: Position | null = null
  #isFull = false

  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax
  }

  /** Whether further rows are known to follow, which are not on this page. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** Rows that it may still take. */
  get missing(): number {
    return this.#rowsMax - this.#texts.length
  }

  /** Never 0, so that a statement with this limit finds out whether any row follows. */
  get bytesLeft(): number {
    return Math.max(1, PAGE_BYTES_MAX - this.#bytes)
  }

  /** Position of the last row; null without rows. */
  get last(): Position | null {
    return this.#last
  }

  get texts(): readonly string[] {
    return this.#texts
  }

  /** Adds the next row, or marks the page as full when it has no room for the row. */
  add(text: string, position: Position): void {
    const bytes = Buffer.byteLength(text) + 1
    if (this.#isFull || this.missing === 0 || (this.#last !== null && this.#bytes + bytes > PAGE_BYTES_MAX)) {
      this.#isFull = true
      return
    }
    this.#texts.push(text)
    this.#bytes += bytes
    this.#last = position
  }

  /** Marks the page as full: further rows follow, which were not read because of their size. */
  close(): void {
    this.#isFull = true
  }
}
