const LOAD_MAX = 0.6

/** Numbers users from 0 in the order in which their hashes are first seen. About 12 bytes a user and 4 a free place. */
export class UserTable {
  #low = new Uint32Array(1024)
  #high = new Uint32Array(1024)
  /** Number of the user + 1, 0 where the place is free. */
  #slots = new Uint32Array(4096)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The number of the user with this hash, a new one when it was not seen before. */
  numberOf(low: number, high: number): number {
    const mask = this.#slots.length - 1
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number
      if (found === 0) return this.#add(slot, low, high)
      if (this.#low[found - 1] === low && this.#high[found - 1] === high) return found - 1
    }
  }

  #add(slot: number, low: number, high: number): number {
    const number = this.#size++
    if (number === this.#low.length) {
      this.#low = grown(this.#low)
      this.#high = grown(this.#high)
    }
    this.#low[number] = low
    this.#high[number] = high
    this.#slots[slot] = number + 1
    if (this.#size > this.#slots.length * LOAD_MAX) this.#rehash()
    return number
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 4)
    const mask = slots.length - 1
    for (let number = 0; number < this.#size; number++) {
      let slot = (this.#low[number] as number) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    this.#slots = slots
  }
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2)
  larger.set(array)
  return larger
}
