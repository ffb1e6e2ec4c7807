const LOAD_MAX = 0.6
const FREE = -1

/** Counts of things with numbers, of which few of the possible ones occur: 12 bytes a slot, of which at most 60 % are taken. */
export class SparseCounts {
  #keys = new Float64Array(1024).fill(FREE)
  #counts = new Uint32Array(1024)
  #size = 0

  /** How many different ones were counted. */
  get size(): number {
    return this.#size
  }

  /** Counts one with this number, from 0 to 2^53 - 1. */
  add(key: number): void {
    const slot = this.#find(key)
    if (this.#keys[slot] === FREE) {
      this.#keys[slot] = key
      this.#size++
    }
    this.#counts[slot] = (this.#counts[slot] as number) + 1
    if (this.#size > this.#keys.length * LOAD_MAX) this.#grow()
  }

  /** 0 for what was never counted. */
  of(key: number): number {
    return this.#counts[this.#find(key)] as number
  }

  /** The numbers that were counted, in no order. */
  *keys(): Generator<number> {
    for (const key of this.#keys) if (key !== FREE) yield key
  }

  /** Where it stands, or would stand. Numbers that follow each other must not lie side by side: those of another row would run into them. */
  #find(key: number): number {
    const mask = this.#keys.length - 1
    const mixed = Math.imul(key ^ (key / 4_294_967_296), 0x9e3779b1)
    for (let slot = (mixed ^ (mixed >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#keys[slot]
      if (found === key || found === FREE) return slot
    }
  }

  #grow(): void {
    const [keys, counts] = [this.#keys, this.#counts]
    this.#keys = new Float64Array(keys.length * 4).fill(FREE)
    this.#counts = new Uint32Array(keys.length * 4)
    keys.forEach((key, index) => {
      if (key === FREE) return
      const slot = this.#find(key)
      this.#keys[slot] = key
      this.#counts[slot] = counts[index] as number
    })
  }
}
