import type { ByteReader } from '../bytes/byte-reader.js'
import { doubled } from '../bytes/doubled.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import type { Presence } from '../bytes/presence.js'
import type { ReplaceText } from '../bytes/text-list.js'
import { startOf, stringOf, type Texts, viewOf } from '../bytes/texts.js'
import { COLUMN_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.js'
import { decodeDictionary, encodeDictionary } from './coded-texts.js'
import { ColumnAppender } from './column-appender.js'
import { Dictionary } from './dictionary.js'
import { spreadNumbers } from './number-column.js'

const UNKNOWN = -1

/** Collects byte strings of which many are equal: each value once, and its number for each row. */
export class KeywordAppender extends ColumnAppender {
  readonly #dictionary = new Dictionary()
  #ids = new Float64Array(64)
  /** Values in the dictionary before the last row. */
  #countBefore = 0
  /** The dictionary from which values were last copied, and which number here each of its values has. */
  #source: Texts | undefined
  #idOfSource = new Int32Array(0)

  get bytes(): number {
    return this.#dictionary.bytes.length + this.slots
  }

  /** @throws COLUMN_VALUE_INVALID when the value is longer than VALUE_BYTES_MAX or the column is full */
  append(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#requireRoom(end - start)
    this.#dictionary.bytes.append(bytes, start, end)
    this.#endText()
  }

  /** As UTF-8; lone surrogates become U+FFFD. @throws COLUMN_VALUE_INVALID as for `append` */
  appendString(text: string): void {
    this.#requireRoom(Buffer.byteLength(text))
    this.#dictionary.bytes.appendString(text)
    this.#endText()
  }

  /** Replaces values, for example to mask them. Each value is shown once, however many rows have it. Returns how many were replaced. */
  replace(replace: ReplaceText): number {
    return this.#dictionary.replace(replace)
  }

  protected appendValueFrom({ dictionary, ids }: KeywordColumn, row: number): void {
    const id = ids[row] as number
    if (dictionary !== this.#source) {
      this.#source = dictionary
      this.#idOfSource = new Int32Array(dictionary.ends.length).fill(UNKNOWN)
    }
    const known = this.#idOfSource[id] as number
    if (known !== UNKNOWN) {
      this.#countBefore = this.#dictionary.count
      this.#store(known)
    } else {
      this.append(dictionary.bytes, startOf(dictionary, id), dictionary.ends[id])
      this.#idOfSource[id] = this.#ids[this.slots - 1] as number
    }
  }

  // A value that only removed rows had must not stay in the bytes.
  protected truncateValues(slots: number, removed: number): void {
    this.#source = undefined
    let used = removed === 1 ? this.#countBefore : 0
    if (removed > 1) for (let slot = 0; slot < slots; slot++) used = Math.max(used, (this.#ids[slot] as number) + 1)
    this.#dictionary.truncate(used)
  }

  protected clearValues(): void {
    this.#source = undefined
    this.#dictionary.clear()
  }

  protected encodeValues(out: GrowingBytes): void {
    encodeDictionary(out, { dictionary: this.#dictionary, ids: this.#ids, count: this.slots })
  }

  #requireRoom(length: number): void {
    if (length > VALUE_BYTES_MAX || this.#dictionary.bytes.length + length > COLUMN_BYTES_MAX)
      throw this.invalid(`a value has at most ${VALUE_BYTES_MAX} bytes, and the column ${COLUMN_BYTES_MAX}`)
  }

  #endText(): void {
    this.#countBefore = this.#dictionary.count
    this.#store(this.#dictionary.endText())
  }

  #store(id: number): void {
    const slot = this.slots
    if (slot === this.#ids.length) this.#ids = doubled(this.#ids)
    this.#ids[slot] = id
    this.addedValue()
  }
}

/** A decoded column of keywords. */
export class KeywordColumn {
  readonly presence: Presence
  /** The different values. Two of them may be equal. */
  readonly dictionary: Texts
  /** The number of each row's value in the dictionary; 0 in rows without a value. */
  readonly ids: Float64Array

  constructor(presence: Presence, dictionary: Texts, ids: Float64Array) {
    this.presence = presence
    this.dictionary = dictionary
    this.ids = spreadNumbers(ids, presence)
  }

  /** The exact bytes of a value; null for a row without one. */
  view(row: number): Buffer | null {
    return this.presence !== undefined && this.presence[row] === 0
      ? null
      : viewOf(this.dictionary, this.ids[row] as number)
  }

  value(row: number): string | null {
    return this.presence !== undefined && this.presence[row] === 0
      ? null
      : stringOf(this.dictionary, this.ids[row] as number)
  }
}

/** @throws InvalidBytes */
export function decodeKeywords(reader: ByteReader, presence: Presence, slots: number): KeywordColumn {
  const { dictionary, ids } = decodeDictionary(reader, slots)
  return new KeywordColumn(presence, dictionary, ids)
}
