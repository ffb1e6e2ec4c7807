import { COLUMN_BYTES_MAX, VALUE_BYTES_MAX } from '../limits.js'
import { type ByteReader, InvalidBytes } from './byte-reader.js'
import type { GrowingBytes } from './growing-bytes.js'

/** Each length in one byte, or in five when it is 255 or more; then all bytes. */
const LENGTHS = 0
const LONG = 255

/** Many byte strings, one behind the other. */
export interface Texts {
  readonly bytes: Buffer
  /** Where each of them ends; it begins where the one before it ends. */
  readonly ends: Uint32Array
}

export function startOf(texts: Texts, index: number): number {
  return index === 0 ? 0 : (texts.ends[index - 1] as number)
}

/** A view of one of them. */
export function viewOf(texts: Texts, index: number): Buffer {
  return texts.bytes.subarray(startOf(texts, index), texts.ends[index])
}

/** One of them, decoded as UTF-8; what is not valid UTF-8 becomes U+FFFD. */
export function stringOf(texts: Texts, index: number): string {
  return texts.bytes.toString('utf8', startOf(texts, index), texts.ends[index])
}

/** Writes the first `count` texts. */
export function encodeTexts(out: GrowingBytes, texts: Texts, count: number): void {
  out.u8(LENGTHS)
  const place = out.beginLength()
  let start = 0
  for (let index = 0; index < count; index++) {
    const end = texts.ends[index] as number
    encodeLength(out, end - start)
    start = end
  }
  out.endLength(place)
  out.append(texts.bytes, 0, start)
}

function encodeLength(out: GrowingBytes, length: number): void {
  out.u8(Math.min(length, LONG))
  if (length >= LONG) out.u32(length)
}

/** Reads `count` texts up to the end of the reader. @throws InvalidBytes */
export function decodeTexts(reader: ByteReader, count: number): Texts {
  const form = reader.u8()
  if (form !== LENGTHS) throw new InvalidBytes(`texts have the unknown form ${form}`)
  const ends = decodeEnds(reader.counted(), count)
  const bytes = reader.rest()
  const length = count === 0 ? 0 : (ends[count - 1] as number)
  if (bytes.length !== length)
    throw new InvalidBytes(`texts have ${bytes.length} bytes where their lengths say ${length}`)
  return { bytes, ends }
}

function decodeEnds(lengths: Buffer, count: number): Uint32Array {
  // A length takes at least one byte, so this is checked before memory is allocated.
  if (lengths.length < count) throw new InvalidBytes('lengths of texts are missing')
  const ends = new Uint32Array(count)
  let at = 0
  let end = 0
  for (let index = 0; index < count; index++) {
    let length = lengths[at++]
    if (length === LONG && at + 4 <= lengths.length) {
      length = lengths.readUInt32LE(at)
      at += 4
    } else if (length === undefined || length === LONG) throw new InvalidBytes('lengths of texts are missing')
    end += length
    if (length > VALUE_BYTES_MAX || end > COLUMN_BYTES_MAX) throw new InvalidBytes('a text is too long')
    ends[index] = end
  }
  if (at !== lengths.length) throw new InvalidBytes('there are more lengths than texts')
  return ends
}
