/** A set of 32-bit hashes. */
export class TokenSet {
  /** 0 stands for an empty place; whether the hash 0 is a member is noted beside. */
  #places = new Uint32Array(1024)
  #count = 0
  #hasZero = false

  /** `add` as a function of its own, for callers that visit many words. */
  readonly visit = (hash: number): void => this.add(hash)

  get size(): number {
    return this.#count + (this.#hasZero ? 1 : 0)
  }

  add(hash: number): void {
    if (hash === 0) this.#hasZero = true
    else if (this.#insert(hash) && this.#count * 2 > this.#places.length) this.#grow()
  }

  clear(): void {
    this.#places.fill(0)
    this.#count = 0
    this.#hasZero = false
  }

  /** All members in no particular order. */
  toArray(): Uint32Array {
    const members = new Uint32Array(this.size)
    let count = this.#hasZero ? 1 : 0
    for (const hash of this.#places) if (hash !== 0) members[count++] = hash
    return members
  }

  #insert(hash: number): boolean {
    const places = this.#places
    const mask = places.length - 1
    let place = hash & mask
    for (let found = places[place]; found !== 0; found = places[place]) {
      if (found === hash) return false
      place = (place + 1) & mask
    }
    places[place] = hash
    this.#count++
    return true
  }

  #grow(): void {
    const before = this.#places
    this.#places = new Uint32Array(before.length * 2)
    this.#count = 0
    for (const hash of before) if (hash !== 0) this.#insert(hash)
  }
}
