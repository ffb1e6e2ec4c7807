import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { type ReplaceText, TextList } from '../bytes/text-list.js'
import { startOf, type Texts } from '../bytes/texts.js'

const EMPTY = -1
/** Values whose hashes collide more often than this get a second entry, so that chosen values cannot make the look-up slow. */
const PROBES_MAX = 16

/** Different byte strings, numbered from 0. A hash finds a candidate, and only equal bytes make it the same value. */
export class Dictionary {
  readonly #list = new TextList()
  #slots = new Int32Array(128).fill(EMPTY)
  #last = EMPTY

  get count(): number {
    return this.#list.count
  }

  get texts(): Texts {
    return this.#list.texts
  }

  /** Where the bytes of the next text are appended before `endText`. */
  get bytes(): GrowingBytes {
    return this.#list.bytes
  }

  /** Returns the number of the text whose bytes were appended. */
  endText(): number {
    const texts = this.#list.texts
    const start = this.#list.count === 0 ? 0 : (texts.ends[this.#list.count - 1] as number)
    const end = this.#list.bytes.length
    // Neighbouring rows often have the same value.
    if (this.#last !== EMPTY && isEqual(texts, this.#last, { start, end })) {
      this.#list.dropBytes()
      return this.#last
    }
    this.#last = this.#find(texts, start, end)
    return this.#last
  }

  dropBytes(): void {
    this.#list.dropBytes()
  }

  clear(): void {
    this.#list.clear()
    this.#index(128)
  }

  truncate(count: number): void {
    if (count >= this.#list.count) return
    this.#list.truncate(count)
    this.#index(this.#slots.length)
  }

  replace(replace: ReplaceText): number {
    const replaced = this.#list.replace(replace)
    if (replaced > 0) this.#index(this.#slots.length)
    return replaced
  }

  #find(texts: Texts, start: number, end: number): number {
    const mask = this.#slots.length - 1
    let place = hashOf(texts.bytes, start, end) & mask
    for (let probe = 0; probe < PROBES_MAX; probe++, place = (place + 1) & mask) {
      const id = this.#slots[place] as number
      if (id === EMPTY) return this.#add(place)
      if (isEqual(texts, id, { start, end })) {
        this.#list.dropBytes()
        return id
      }
    }
    return this.#add()
  }

  /** Keeps the appended bytes as a new text, at a place of the hash table if there is one. */
  #add(place?: number): number {
    const id = this.#list.count
    this.#list.endText()
    if (place !== undefined) this.#slots[place] = id
    if (this.#list.count * 2 > this.#slots.length) this.#index(this.#slots.length * 2)
    return id
  }

  /** Fills a hash table of the given size anew. */
  #index(size: number): void {
    this.#last = EMPTY
    this.#slots = new Int32Array(size).fill(EMPTY)
    const { texts, count } = this.#list
    for (let id = 0; id < count; id++) {
      let place = hashOf(texts.bytes, startOf(texts, id), texts.ends[id] as number) & (size - 1)
      for (let probe = 0; probe < PROBES_MAX; probe++, place = (place + 1) & (size - 1)) {
        if (this.#slots[place] !== EMPTY) continue
        this.#slots[place] = id
        break
      }
    }
  }
}

/** FNV-1a with a last mixing step, so that the low bits depend on all bytes. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let index = start; index < end; index++) hash = Math.imul(hash ^ (bytes[index] as number), 0x01000193)
  hash ^= hash >>> 15
  return Math.imul(hash, 0x2c1b3c6d) >>> 0
}

function isEqual({ bytes, ends }: Texts, id: number, { start, end }: { start: number; end: number }): boolean {
  const first = id === 0 ? 0 : (ends[id - 1] as number)
  if ((ends[id] as number) - first !== end - start) return false
  for (let index = start, other = first; index < end; index++, other++) if (bytes[index] !== bytes[other]) return false
  return true
}
