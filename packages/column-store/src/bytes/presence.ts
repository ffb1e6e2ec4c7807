import { type ByteReader, InvalidBytes } from './byte-reader.js'
import type { GrowingBytes } from './growing-bytes.js'

const ALL = 0
const NONE = 1
const BITMAP = 2

/** Which rows have a value: one byte a row, 1 or 0. Undefined when all have one. */
export type Presence = Uint8Array | undefined

/** Writes which of `rows` rows have a value; `slots` of them have one. */
export function encodePresence(out: GrowingBytes, presence: Presence, { rows, slots }: Counts): void {
  if (presence === undefined || slots === rows) out.u8(ALL)
  else if (slots === 0) out.u8(NONE)
  else {
    out.u8(BITMAP)
    encodeBits(out, presence, rows)
  }
}

interface Counts {
  readonly rows: number
  readonly slots: number
}

/** @throws InvalidBytes */
export function decodePresence(reader: ByteReader, rows: number): { presence: Presence; slots: number } {
  const mode = reader.u8()
  if (mode === ALL) return { presence: undefined, slots: rows }
  if (mode === NONE) return { presence: new Uint8Array(rows), slots: 0 }
  if (mode !== BITMAP) throw new InvalidBytes(`presence has the unknown form ${mode}`)
  const presence = decodeBits(reader, rows)
  let slots = 0
  for (let row = 0; row < rows; row++) slots += presence[row] as number
  return { presence, slots }
}

/** Packs `count` bytes of 0 or 1 into bits, the first one lowest. */
export function encodeBits(out: GrowingBytes, flags: Uint8Array, count: number): void {
  out.reserve((count + 7) >> 3)
  for (let start = 0; start < count; start += 8) {
    let bits = 0
    const end = Math.min(start + 8, count)
    for (let index = start; index < end; index++) bits |= (flags[index] as number) << (index - start)
    out.u8(bits)
  }
}

/** @throws InvalidBytes */
export function decodeBits(reader: ByteReader, count: number): Uint8Array {
  const packed = reader.bytes((count + 7) >> 3)
  const flags = new Uint8Array(count)
  for (let index = 0; index < count; index++) flags[index] = ((packed[index >> 3] as number) >> (index & 7)) & 1
  if ((count & 7) !== 0 && (packed[packed.length - 1] as number) >> (count & 7) !== 0)
    throw new InvalidBytes('bits behind the last row are set')
  return flags
}
