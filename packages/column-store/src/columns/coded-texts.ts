import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeIntegers, encodeIntegers } from '../bytes/integers.js'
import { decodeTexts, encodeTexts, startOf, type Texts } from '../bytes/texts.js'
import { ROWS_MAX } from '../limits.js'
import { Dictionary } from './dictionary.js'

/** Each text by itself. */
const PLAIN = 0
/** Each different text once, and its number for each value. */
const DICTIONARY = 1
/** Numbers instead of their decimal digits. */
const INTEGERS = 2

/** After this many values it is decided whether a dictionary is worth it. */
const TRIED_VALUES = 256
const INTEGER_DIGITS_MAX = 15

/** Writes the first `count` texts in the shortest of three forms. */
export function encodeCompactTexts(out: GrowingBytes, texts: Texts, count: number): void {
  const integers = integersOf(texts, count)
  if (integers !== undefined) {
    out.u8(INTEGERS)
    encodeIntegers(out, integers, count)
    return
  }
  const found = findRepeated(texts, count)
  out.u8(found === undefined ? PLAIN : DICTIONARY)
  if (found === undefined) encodeTexts(out, texts, count)
  else encodeDictionary(out, { ...found, count })
}

/** Texts that are decoded, but not yet put one behind the other. */
export interface CompactTexts {
  /** @throws InvalidBytes */
  readonly texts: () => Texts
  /** All bytes of which the texts are made; undefined when they are decimal digits. */
  readonly bytes: Buffer | undefined
}

/** Reads up to the end of the reader. @throws InvalidBytes */
export function decodeCompactTexts(reader: ByteReader, count: number, bytesMax: number): CompactTexts {
  const form = reader.u8()
  if (form === PLAIN) {
    const texts = decodeTexts(reader, count)
    return { texts: () => texts, bytes: texts.bytes }
  }
  if (form === INTEGERS) {
    const values = decodeIntegers(reader, count)
    return { texts: () => digitsOf(values), bytes: undefined }
  }
  if (form !== DICTIONARY) throw new InvalidBytes(`texts have the unknown form ${form}`)
  const { dictionary, ids } = decodeDictionary(reader, count)
  return { texts: () => pick(dictionary, ids, bytesMax), bytes: dictionary.bytes }
}

export interface EncodedDictionary {
  readonly dictionary: Dictionary
  readonly ids: Float64Array
  readonly count: number
}

export function encodeDictionary(out: GrowingBytes, { dictionary, ids, count }: EncodedDictionary): void {
  out.u32(dictionary.count)
  const place = out.beginLength()
  encodeTexts(out, dictionary.texts, dictionary.count)
  out.endLength(place)
  encodeIntegers(out, ids, count)
}

/** @throws InvalidBytes */
export function decodeDictionary(reader: ByteReader, count: number): { dictionary: Texts; ids: Float64Array } {
  const size = reader.u32()
  if (size > ROWS_MAX) throw new InvalidBytes(`a dictionary has ${size} values`)
  const dictionary = decodeTexts(new ByteReader(reader.counted()), size)
  const ids = decodeIntegers(reader, count)
  for (const id of ids) if (id < 0 || id >= size) throw new InvalidBytes(`value ${id} is not in the dictionary`)
  return { dictionary, ids }
}

/** The text of each id. @throws InvalidBytes when they have more than `bytesMax` bytes together */
function pick(dictionary: Texts, ids: Float64Array, bytesMax: number): Texts {
  const ends = new Uint32Array(ids.length)
  let length = 0
  for (let index = 0; index < ids.length; index++) {
    const id = ids[index] as number
    length += (dictionary.ends[id] as number) - startOf(dictionary, id)
    if (length > bytesMax) throw new InvalidBytes('texts are too long')
    ends[index] = length
  }
  const bytes = Buffer.allocUnsafe(length)
  for (let index = 0, at = 0; index < ids.length; index++) {
    const id = ids[index] as number
    at += dictionary.bytes.copy(bytes, at, startOf(dictionary, id), dictionary.ends[id])
  }
  return { bytes, ends }
}

/** The dictionary of texts of which many are equal; undefined for others. */
function findRepeated(texts: Texts, count: number): Omit<EncodedDictionary, 'count'> | undefined {
  const dictionary = new Dictionary()
  const ids = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    dictionary.bytes.append(texts.bytes, startOf(texts, index), texts.ends[index])
    ids[index] = dictionary.endText()
    if (index >= TRIED_VALUES && dictionary.count * 2 > index) return undefined
  }
  return dictionary.count * 2 > count + 8 ? undefined : { dictionary, ids }
}

/** The numbers whose decimal digits the texts are; undefined when one is not exactly what String(number) gives. */
function integersOf(texts: Texts, count: number): Float64Array | undefined {
  if (count === 0) return undefined
  const values = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    const value = integerOf(texts.bytes, startOf(texts, index), texts.ends[index] as number)
    if (value === undefined) return undefined
    values[index] = value
  }
  return values
}

function integerOf(bytes: Buffer, start: number, end: number): number | undefined {
  const isNegative = bytes[start] === 0x2d
  const first = isNegative ? start + 1 : start
  const digits = end - first
  if (digits < 1 || digits > INTEGER_DIGITS_MAX) return undefined
  // "0" is written so, and neither "-0" nor "007".
  if (bytes[first] === 0x30 && (digits > 1 || isNegative)) return undefined
  let value = 0
  for (let at = first; at < end; at++) {
    const digit = (bytes[at] as number) - 0x30
    if (digit < 0 || digit > 9) return undefined
    value = value * 10 + digit
  }
  return isNegative ? -value : value
}

function digitsOf(values: Float64Array): Texts {
  const bytes = new GrowingBytes(values.length * 4)
  const ends = new Uint32Array(values.length)
  for (let index = 0; index < values.length; index++) {
    bytes.appendString(String(values[index]))
    ends[index] = bytes.length
  }
  return { bytes: bytes.view(), ends }
}
