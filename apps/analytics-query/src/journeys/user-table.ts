const LOAD_MAX = 0.6
/** Number of the user + 1, or 0 where the slot is free; low and high half of the hash; one unused. A look-up touches one line of the processor's cache. */
const SLOT_NUMBERS = 4

/** Numbers users from 0 in the order in which their hashes are first seen. 16 bytes a slot, of which at most 60 % are taken. */
export class UserTable {
  #slots = new Uint32Array(4096 * SLOT_NUMBERS)
  #mask = 4095
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The number of the user with this hash, a new one when it was not seen before. */
  numberOf(low: number, high: number): number {
    const slots = this.#slots
    for (let slot = low & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const at = slot * SLOT_NUMBERS
      const found = slots[at] as number
      if (found === 0) return this.#add(at, low, high)
      if (slots[at + 1] === low && slots[at + 2] === high) return found - 1
    }
  }

  #add(at: number, low: number, high: number): number {
    this.#slots[at] = ++this.#size
    this.#slots[at + 1] = low
    this.#slots[at + 2] = high
    const number = this.#size - 1
    if (this.#size > (this.#mask + 1) * LOAD_MAX) this.#grow()
    return number
  }

  #grow(): void {
    const old = this.#slots
    const mask = (this.#mask + 1) * 4 - 1
    const slots = new Uint32Array((mask + 1) * SLOT_NUMBERS)
    for (let from = 0; from < old.length; from += SLOT_NUMBERS) {
      if (old[from] === 0) continue
      let slot = (old[from + 1] as number) & mask
      while (slots[slot * SLOT_NUMBERS] !== 0) slot = (slot + 1) & mask
      const at = slot * SLOT_NUMBERS
      slots[at] = old[from] as number
      slots[at + 1] = old[from + 1] as number
      slots[at + 2] = old[from + 2] as number
    }
    this.#slots = slots
    this.#mask = mask
  }
}
