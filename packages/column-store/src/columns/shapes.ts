import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { TextList } from '../bytes/text-list.js'
import { decodeTexts, encodeTexts, startOf, type Texts, viewOf } from '../bytes/texts.js'
import { COLUMN_BYTES_MAX } from '../limits.js'
import {
  type CompactTexts,
  decodeCompactTexts,
  decodeDictionary,
  encodeCompactTexts,
  encodeDictionary,
} from './coded-texts.js'
import { Dictionary } from './dictionary.js'
import { scanObject } from './scan-object.js'

/** Keys with columns of their own. Values of other keys share one, so that records with ever new keys do not make ever more columns. */
const KEY_COLUMNS_MAX = 250
/** A key has a column of its own when at least one record in so many has it. */
const RARE_BELOW = 64

/** After this many records it is decided whether shapes are worth it. */
const TRIED_TEXTS = 512

const QUOTE = 0x22
/** The shape of a text that is not a compact JSON object: the whole text is in the rest column. No list of keys is equal to it. */
const WHOLE_TEXT = Buffer.from('\0')

/** The values of records by key. */
interface Shapes {
  /** Of each record: its keys with their quotes, one behind the other, or WHOLE_TEXT. */
  readonly shapes: Dictionary
  readonly ids: Float64Array
  /** The keys with their quotes. */
  readonly keys: readonly string[]
  /** The number of each key of each shape. */
  readonly keysOfShape: readonly number[][]
  /** The values of all records in order: where they lie in the source. */
  readonly starts: number[]
  readonly ends: number[]
}

/**
 * Writes JSON texts as columns, one for each frequent key of the outermost object. Any bytes are taken: a text that is not an object without white
 * space around its keys is kept as a whole. The bytes come back exactly.
 */
export function encodeShapes(out: GrowingBytes, texts: Texts, found: Shapes): void {
  const count = found.ids.length
  encodeDictionary(out, { dictionary: found.shapes, ids: found.ids, count })
  const rest = new TextList()
  const columns = frequentKeys(found, count).map((isFrequent) => (isFrequent ? new TextList() : rest))
  distribute(found, texts, columns)
  const own = [...columns.keys()].filter((key) => columns[key] !== rest)
  out.u16(own.length)
  for (const key of own)
    encodeKeyColumn(out, Buffer.from(found.keys[key] as string, 'latin1'), columns[key] as TextList)
  out.u32(rest.count)
  encodeTexts(out, rest.texts, rest.count)
}

function encodeKeyColumn(out: GrowingBytes, key: Buffer, values: TextList): void {
  out.u32(key.length)
  out.append(key)
  out.u32(values.count)
  const place = out.beginLength()
  encodeCompactTexts(out, values.texts, values.count)
  out.endLength(place)
}

/** Undefined when hardly any records have the same keys. */
export function findShapes(texts: Texts, count: number): Shapes | undefined {
  const shapes = new Dictionary()
  const keys = new Map<string, number>()
  const ids = new Float64Array(count)
  const keysOfShape: number[][] = []
  const starts: number[] = []
  const ends: number[] = []
  for (let index = 0; index < count; index++) {
    const [start, end] = [startOf(texts, index), texts.ends[index] as number]
    const firstValue = starts.length
    if (!scanObject(texts.bytes, { start, end }, { shape: shapes.bytes, starts, ends })) {
      shapes.dropBytes()
      shapes.bytes.append(WHOLE_TEXT)
      starts.length = firstValue
      ends.length = firstValue
      starts.push(start)
      ends.push(end)
    }
    const id = shapes.endText()
    ids[index] = id
    if (index >= TRIED_TEXTS && shapes.count * 2 > index) return undefined
    if (id === keysOfShape.length) keysOfShape.push(numberKeys(viewOf(shapes.texts, id), keys))
  }
  return { shapes, ids, keys: [...keys.keys()], keysOfShape, starts, ends }
}

/** The numbers of the keys of a shape. The whole text counts as the value of one key, which never gets a column of its own. */
function numberKeys(shape: Buffer, keys: Map<string, number>): number[] {
  return splitKeys(shape).map((bytes) => {
    const key = bytes.toString('latin1')
    const number = keys.get(key) ?? keys.size
    keys.set(key, number)
    return number
  })
}

/** The keys of a shape with their quotes. @throws InvalidBytes */
function splitKeys(shape: Buffer): Buffer[] {
  if (shape.equals(WHOLE_TEXT)) return [WHOLE_TEXT]
  const keys: Buffer[] = []
  for (let at = 0; at < shape.length; ) {
    const start = at
    if (shape[at++] !== QUOTE) throw new InvalidBytes('a key has no quotes')
    while (at < shape.length && shape[at] !== QUOTE) at += shape[at] === 0x5c ? 2 : 1
    if (at++ >= shape.length) throw new InvalidBytes('a key has no end')
    keys.push(shape.subarray(start, at))
  }
  return keys
}

/** For each key whether it gets a column of its own: the most frequent ones that are not rare. */
function frequentKeys({ keys, keysOfShape, ids }: Shapes, count: number): boolean[] {
  const uses = new Array<number>(keys.length).fill(0)
  const usesOfShape = new Array<number>(keysOfShape.length).fill(0)
  for (const id of ids) usesOfShape[id] = (usesOfShape[id] as number) + 1
  for (const [shape, list] of keysOfShape.entries())
    for (const key of list) uses[key] = (uses[key] as number) + (usesOfShape[shape] as number)
  const least = [...uses].sort((a, b) => b - a)[KEY_COLUMNS_MAX - 1] ?? 0
  const needed = Math.max(count / RARE_BELOW, least + 1)
  return uses.map((times, key) => times >= needed && keys[key] !== WHOLE_TEXT.toString('latin1'))
}

/** Appends each value to the list of its key. */
function distribute({ ids, keysOfShape, starts, ends }: Shapes, texts: Texts, lists: readonly TextList[]): void {
  let value = 0
  for (const id of ids) {
    for (const key of keysOfShape[id] as number[]) {
      const list = lists[key] as TextList
      list.bytes.append(texts.bytes, starts[value], ends[value])
      list.endText()
      value++
    }
  }
}

interface KeyColumn {
  readonly values: Texts
  next: number
}

/** JSON texts that are decoded, but not put together yet. */
export interface DecodedShapes {
  readonly count: number
  /** @throws InvalidBytes */
  readonly join: () => Texts
  /** The bytes of all keys and values but those that are decimal digits. */
  readonly parts: readonly Buffer[]
}

/** @throws InvalidBytes */
export function decodeShapes(reader: ByteReader, count: number): DecodedShapes {
  const { dictionary: shapes, ids } = decodeDictionary(reader, count)
  const decoded = new Map<string, CompactTexts>()
  for (let left = reader.u16(); left > 0; left--) {
    const key = reader.counted().toString('latin1')
    const size = reader.u32()
    if (size > COLUMN_BYTES_MAX / 4) throw new InvalidBytes('a key has too many values')
    decoded.set(key, decodeCompactTexts(new ByteReader(reader.counted()), size, COLUMN_BYTES_MAX))
  }
  const restCount = reader.u32()
  const restTexts = decodeTexts(reader, restCount)
  const join = () => {
    const columns = new Map([...decoded].map(([key, { texts }]) => [key, { values: texts(), next: 0 }]))
    const rest: KeyColumn = { values: restTexts, next: 0 }
    const texts = joinObjects({ shapes, ids }, { columns, rest })
    for (const { values, next } of [rest, ...columns.values()])
      if (next !== values.ends.length) throw new InvalidBytes('there are more values than records')
    return texts
  }
  const values = [...decoded.values()].flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]))
  return { count, join, parts: [shapes.bytes, restTexts.bytes, ...values] }
}

interface ShapeIds {
  readonly shapes: Texts
  readonly ids: Float64Array
}

interface KeyColumns {
  readonly columns: ReadonlyMap<string, KeyColumn>
  readonly rest: KeyColumn
}

function joinObjects({ shapes, ids }: ShapeIds, { columns, rest }: KeyColumns): Texts {
  const partsOfShape = Array.from(shapes.ends, (_, id) => partsOf(viewOf(shapes, id), { columns, rest }))
  const bytes = new GrowingBytes(4096)
  const ends = new Uint32Array(ids.length)
  for (let index = 0; index < ids.length; index++) {
    const { parts, end } = partsOfShape[ids[index] as number] as ReturnType<typeof partsOf>
    for (const { before, column } of parts) {
      if (column.next >= column.values.ends.length) throw new InvalidBytes('values of records are missing')
      bytes.append(before)
      bytes.append(column.values.bytes, startOf(column.values, column.next), column.values.ends[column.next])
      column.next++
    }
    bytes.append(end)
    if (bytes.length > COLUMN_BYTES_MAX) throw new InvalidBytes('texts are too long')
    ends[index] = bytes.length
  }
  return { bytes: bytes.view(), ends }
}

/** What is written before each value of a record of this shape, where the value comes from, and what is written last. */
function partsOf(shape: Buffer, { columns, rest }: KeyColumns) {
  const keys = splitKeys(shape)
  if (shape.equals(WHOLE_TEXT)) return { parts: [{ before: Buffer.alloc(0), column: rest }], end: Buffer.alloc(0) }
  const parts = keys.map((key, index) => ({
    before: Buffer.concat([Buffer.from(index === 0 ? '{' : ','), key, Buffer.from(':')]),
    column: columns.get(key.toString('latin1')) ?? rest,
  }))
  return { parts, end: Buffer.from(keys.length === 0 ? '{}' : '}') }
}
