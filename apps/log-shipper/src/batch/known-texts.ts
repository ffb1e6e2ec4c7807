import { randomInt } from 'node:crypto'

const SLOTS = 4096
/** With more of them than this all are forgotten, so that a client that makes up names takes no memory. */
const TEXTS_MAX = 1024
const LENGTH_MAX = 128

interface Known<T> {
  readonly bytes: Buffer
  readonly value: T
}

/** Remembers what short texts mean (names of fields, levels), found by their bytes without making a string of them. */
export class KnownTexts<T> {
  readonly #make: (text: string) => T
  #slots: (Known<T> | undefined)[] = new Array(SLOTS)
  #count = 0
  /** Random, so that nobody can make up names that all share a slot. */
  readonly #seed = randomInt(2 ** 31)

  /** `make` is called with each text that is not known. */
  constructor(make: (text: string) => T) {
    this.#make = make
  }

  /** Undefined for texts that are too long to be remembered. The bytes must be valid UTF-8. */
  find(bytes: Buffer, start: number, end: number): T | undefined {
    if (end - start > LENGTH_MAX) return undefined
    let hash = this.#seed
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    for (;;) {
      const known = this.#slots[slot]
      if (known === undefined) return this.#learn(Buffer.from(bytes.subarray(start, end)), slot)
      if (isAt(known.bytes, bytes, { start, end })) return known.value
      slot = (slot + 1) & (SLOTS - 1)
    }
  }

  #learn(bytes: Buffer, slot: number): T {
    const value = this.#make(bytes.toString())
    if (this.#count >= TEXTS_MAX) {
      this.#slots = new Array(SLOTS)
      this.#count = 0
    }
    this.#slots[slot] = { bytes, value }
    this.#count++
    return value
  }
}

function isAt(known: Buffer, bytes: Buffer, { start, end }: { start: number; end: number }): boolean {
  if (known.length !== end - start) return false
  for (let index = 0; index < known.length; index++) if (known[index] !== bytes[start + index]) return false
  return true
}
