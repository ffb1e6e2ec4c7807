/** So many of those that come first by their keys; hundreds of thousands are not sorted for a page of some. */
export class FirstOf<Key, Item extends { readonly key: Key }> {
  readonly #count: number
  readonly #compare: (a: Key, b: Key) => number
  #kept: Item[] = []
  /** What comes after it is not among them. */
  #last: Key | null = null

  constructor(count: number, compare: (a: Key, b: Key) => number) {
    this.#count = count
    this.#compare = compare
  }

  add(item: Item): void {
    if (this.#last !== null && this.#compare(item.key, this.#last) > 0) return
    this.#kept.push(item)
    if (this.#kept.length < 2 * this.#count) return
    this.#kept = this.take()
    this.#last = this.#kept.at(-1)?.key ?? null
  }

  /** In their order. */
  take(): Item[] {
    return this.#kept.sort((a, b) => this.#compare(a.key, b.key)).slice(0, this.#count)
  }
}
