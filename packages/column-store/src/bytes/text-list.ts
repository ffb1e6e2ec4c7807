import { doubled } from './doubled.js'
import { GrowingBytes } from './growing-bytes.js'
import type { Texts } from './texts.js'

/**
 * Looks at one value, which lies from `start` to `end` in `bytes`, and returns what replaces it, or undefined to keep it.
 * The bytes are valid only during the call.
 */
export type ReplaceText = (bytes: Buffer, start: number, end: number) => Uint8Array | undefined

/** Collects byte strings one behind the other. */
export class TextList {
  #bytes = new GrowingBytes(1024)
  #ends = new Uint32Array(64)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** The bytes of all texts, valid until the next change. */
  get bytes(): GrowingBytes {
    return this.#bytes
  }

  /** The texts so far, valid until the next change. */
  get texts(): Texts {
    return { bytes: this.#bytes.buffer, ends: this.#ends }
  }

  /** Makes a text of all bytes that were appended behind the last one. */
  endText(): void {
    if (this.#count === this.#ends.length) this.#ends = doubled(this.#ends)
    this.#ends[this.#count++] = this.#bytes.length
  }

  /** Forgets bytes that were appended behind the last text. */
  dropBytes(): void {
    this.#bytes.length = this.#count === 0 ? 0 : (this.#ends[this.#count - 1] as number)
  }

  /** Forgets all texts and gives back memory that only large ones needed. */
  clear(): void {
    this.#count = 0
    this.#bytes.clear()
  }

  truncate(count: number): void {
    this.#count = Math.min(this.#count, count)
    this.dropBytes()
  }

  /** Calls `replace` with each text. Returns how many were replaced. */
  replace(replace: ReplaceText): number {
    let replaced = 0
    let target: TextList | undefined
    const { bytes, ends } = this.texts
    for (let index = 0, start = 0; index < this.#count; index++) {
      const end = ends[index] as number
      const replacement = replace(bytes, start, end)
      if (replacement !== undefined) {
        replaced++
        target ??= this.#copyOf(index, start)
        target.#bytes.append(replacement)
        target.endText()
      } else if (target !== undefined) {
        target.#bytes.append(bytes, start, end)
        target.endText()
      }
      start = end
    }
    if (target === undefined) return 0
    this.#bytes = target.#bytes
    this.#ends = target.#ends
    return replaced
  }

  #copyOf(count: number, length: number): TextList {
    const copy = new TextList()
    copy.#bytes.reserve(this.#bytes.length)
    copy.#bytes.append(this.#bytes.buffer, 0, length)
    copy.#ends = this.#ends.slice()
    copy.#count = count
    return copy
  }
}
