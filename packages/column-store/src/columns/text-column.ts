import type { ByteReader } from '../bytes/byte-reader.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import type { Presence } from '../bytes/presence.js'
import { type ReplaceText, TextList } from '../bytes/text-list.js'
import { decodeTexts, encodeTexts, startOf, stringOf, type Texts, viewOf } from '../bytes/texts.js'
import { COLUMN_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.js'
import { ColumnAppender } from './column-appender.js'
import { encodeStoredTexts, type StoredTexts } from './stored-texts.js'
import type { Templates } from './templates.js'

/** Collects values of `text` and `json`. It does not look at them. */
export class TextAppender extends ColumnAppender {
  readonly #list = new TextList()

  get bytes(): number {
    return this.#list.bytes.length
  }

  /** @throws COLUMN_VALUE_INVALID when the value is longer than VALUE_BYTES_MAX or the column is full */
  append(bytes: Uint8Array, start = 0, end = bytes.length): void {
    this.#requireRoom(end - start)
    this.#list.bytes.append(bytes, start, end)
    this.#list.endText()
    this.addedValue()
  }

  /** As UTF-8; lone surrogates become U+FFFD. @throws COLUMN_VALUE_INVALID as for `append` */
  appendString(text: string): void {
    this.#requireRoom(Buffer.byteLength(text))
    this.#list.bytes.appendString(text)
    this.#list.endText()
    this.addedValue()
  }

  /** Replaces values, for example to mask them. Returns how many were replaced. */
  replace(replace: ReplaceText): number {
    return this.#list.replace(replace)
  }

  protected appendValueFrom({ texts }: TextColumn, row: number): void {
    this.append(texts.bytes, startOf(texts, row), texts.ends[row])
  }

  protected override encodeStoredValues(out: GrowingBytes, extra: GrowingBytes): void {
    encodeStoredTexts({ out, extra }, this.#list.texts, { count: this.slots, isJson: this.column.type === 'json' })
  }

  protected truncateValues(slots: number): void {
    this.#list.truncate(slots)
  }

  protected clearValues(): void {
    this.#list.clear()
  }

  protected encodeValues(out: GrowingBytes): void {
    encodeTexts(out, this.#list.texts, this.slots)
  }

  #requireRoom(length: number): void {
    if (length > VALUE_BYTES_MAX || this.#list.bytes.length + length > COLUMN_BYTES_MAX)
      throw this.invalid(`a value has at most ${VALUE_BYTES_MAX} bytes, and the column ${COLUMN_BYTES_MAX}`)
  }
}

/** A decoded column of byte strings. Rows without a value hold an empty one. */
export class TextColumn {
  readonly presence: Presence
  /** Of a chunk: the texts as templates without their variables, if they are stored so and every row has one. */
  readonly templates: Templates | undefined
  /** The variables that `templates` lack, in the order of rows, each followed by a line feed. */
  readonly variables: () => Buffer
  /** Of JSON in a chunk: see StoredTexts. */
  readonly parts: readonly Buffer[] | undefined
  readonly #join: () => Texts
  readonly isJson: boolean
  readonly #count: number | undefined
  #texts: Texts | undefined

  constructor(
    presence: Presence,
    { join, templates, variables, parts, count }: StoredTexts,
    { isJson }: { isJson: boolean },
  ) {
    this.presence = presence
    this.templates = presence === undefined ? templates : undefined
    this.variables = variables ?? (() => Buffer.alloc(0))
    this.parts = parts
    this.#count = count
    this.#join = join
    this.isJson = isJson
  }

  get rows(): number {
    return this.presence?.length ?? this.templates?.ids.length ?? this.#count ?? this.texts.ends.length
  }

  /** All texts. The first call puts variables and templates together. */
  get texts(): Texts {
    this.#texts ??= spreadTexts(this.#join(), this.presence)
    return this.#texts
  }

  /** How many bytes a value has. */
  lengthOf(row: number): number {
    const { ends } = this.texts
    return (ends[row] as number) - (row === 0 ? 0 : (ends[row - 1] as number))
  }

  /** The exact bytes of a value; null for a row without one. */
  view(row: number): Buffer | null {
    return this.presence !== undefined && this.presence[row] === 0 ? null : viewOf(this.texts, row)
  }

  /** The value as a string, or parsed if the column holds JSON. @throws SyntaxError for a value of JSON that is not valid */
  value(row: number): unknown {
    if (this.presence !== undefined && this.presence[row] === 0) return null
    const text = stringOf(this.texts, row)
    return this.isJson ? JSON.parse(text) : text
  }
}

function spreadTexts({ bytes, ends }: Texts, presence: Presence): Texts {
  if (presence === undefined) return { bytes, ends }
  const spread = new Uint32Array(presence.length)
  let slot = 0
  let end = 0
  for (let row = 0; row < presence.length; row++) {
    if (presence[row] === 1) end = ends[slot++] as number
    spread[row] = end
  }
  return { bytes, ends: spread }
}

/** Reads texts of a batch up to the end of the reader. @throws InvalidBytes */
export function decodeTextColumn(reader: ByteReader, presence: Presence, { slots, isJson }: TextShape): TextColumn {
  const texts = decodeTexts(reader, slots)
  return new TextColumn(presence, { join: () => texts }, { isJson })
}

interface TextShape {
  readonly slots: number
  readonly isJson: boolean
}
