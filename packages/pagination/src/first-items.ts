/** Keeps the `count` items that come first by their keys, without sorting all items that are added. */
export class FirstItems<Key, Item extends { readonly key: Key }> {
  readonly #count: number
  readonly #compare: (a: Key, b: Key) => number
  #kept: Item[] = []
  /** No item after this key is among the first ones. */
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

  /** The first items in their order. */
  take(): Item[] {
    return this.#kept.sort((a, b) => this.#compare(a.key, b.key)).slice(0, this.#count)
  }
}
