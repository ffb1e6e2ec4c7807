import { type ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import { decodeTexts, encodeTexts, type Texts } from '../bytes/texts.js'
import { decodeShapes, encodeShapes, findShapes } from './shapes.js'
import { decodeSplit, encodeSplit, joinTexts, splitTexts, type Templates } from './templates.js'

/** As in a batch. */
const PLAIN = 0
/** Templates and their numbers; the variables are in the other block of the column. */
const TEMPLATES = 1
/** One column for each frequent key. */
const SHAPES = 2

interface Blocks {
  readonly out: GrowingBytes
  /** The block for variables. */
  readonly extra: GrowingBytes
}

/** Writes the first `count` texts of a chunk in the form that suits them. */
export function encodeStoredTexts(
  { out, extra }: Blocks,
  texts: Texts,
  { count, isJson }: { count: number; isJson: boolean },
): void {
  const shapes = isJson ? findShapes(texts, count) : undefined
  const split = isJson ? undefined : splitTexts(texts, count)
  if (shapes !== undefined) {
    out.u8(SHAPES)
    encodeShapes(out, texts, shapes)
  } else if (split !== undefined) {
    out.u8(TEMPLATES)
    encodeSplit(out, extra, split)
  } else {
    out.u8(PLAIN)
    encodeTexts(out, texts, count)
  }
}

/** Texts of a chunk. Those that are split are joined when they are first needed. */
export interface StoredTexts {
  readonly templates?: Templates
  /** The variables of the templates, each followed by a line feed. */
  readonly variables?: () => Buffer
  /** Of JSON: bytes that hold each key and value, but those that are decimal digits; texts that lie in them in one piece may lie in a value. */
  readonly parts?: readonly Buffer[]
  /** How many texts there are, where that is known before they are put together. */
  readonly count?: number
  readonly join: () => Texts
}

/** Reads up to the end of the reader. `variables` gets the other block of the column when it is needed. @throws InvalidBytes */
export function decodeStoredTexts(reader: ByteReader, slots: number, variables: () => Buffer): StoredTexts {
  const form = reader.u8()
  if (form === TEMPLATES) {
    const templates = decodeSplit(reader, slots)
    return { templates, join: () => joinTexts(templates, variables()) }
  }
  if (form !== PLAIN && form !== SHAPES) throw new InvalidBytes(`texts have the unknown form ${form}`)
  if (form === SHAPES) return decodeShapes(reader, slots)
  const texts = decodeTexts(reader, slots)
  return { join: () => texts }
}
