import { type ByteReader, InvalidBytes } from './byte-reader.js'
import type { GrowingBytes } from './growing-bytes.js'

/** All values are equal: the value as a double. */
const CONSTANT = 0
/** 1 to 4: the least value as a double, then the distance of each value from it in so many bytes. */
const WIDTH_MAX = 4
/** Each value as a double. */
const DOUBLES = 8

/** Writes the first `count` safe integers in the fewest bytes for each. */
export function encodeIntegers(out: GrowingBytes, values: Float64Array, count: number): void {
  let least = count > 0 ? (values[0] as number) : 0
  let greatest = least
  for (let index = 1; index < count; index++) {
    const value = values[index] as number
    if (value < least) least = value
    else if (value > greatest) greatest = value
  }
  const width = widthOf(greatest - least)
  out.u8(width)
  if (width === DOUBLES) encodeDoubles(out, values, count)
  else encodeDistances(out, { values, count, least, width })
}

function widthOf(span: number): number {
  if (span === 0) return CONSTANT
  if (span < 2 ** 8) return 1
  if (span < 2 ** 16) return 2
  if (span < 2 ** 24) return 3
  return span < 2 ** 32 ? WIDTH_MAX : DOUBLES
}

interface Distances {
  readonly values: Float64Array
  readonly count: number
  readonly least: number
  readonly width: number
}

function encodeDistances(out: GrowingBytes, { values, count, least, width }: Distances): void {
  out.f64(least)
  out.reserve(count * width)
  const bytes = out.buffer
  let at = out.length
  for (let index = 0; index < count; index++) {
    let distance = (values[index] as number) - least
    for (let byte = 0; byte < width; byte++) {
      bytes[at++] = distance
      distance = Math.floor(distance / 256)
    }
  }
  out.length += count * width
}

/** Writes the first `count` doubles as they are in memory. */
export function encodeDoubles(out: GrowingBytes, values: Float64Array, count: number): void {
  out.append(new Uint8Array(values.buffer, values.byteOffset, count * 8))
}

/** @throws InvalidBytes also for values that are no safe integers */
export function decodeIntegers(reader: ByteReader, count: number): Float64Array {
  const width = reader.u8()
  const values = width === DOUBLES ? decodeDoubles(reader, count) : decodeDistances(reader, { count, width })
  for (let index = 0; index < count; index++)
    if (!Number.isSafeInteger(values[index])) throw new InvalidBytes('a value is not a safe integer')
  return values
}

function decodeDistances(reader: ByteReader, { count, width }: { count: number; width: number }): Float64Array {
  if (width > WIDTH_MAX) throw new InvalidBytes(`integers have the unknown width ${width}`)
  const least = reader.f64()
  const values = new Float64Array(count)
  if (width === CONSTANT) return values.fill(least)
  const bytes = reader.bytes(count * width)
  for (let index = 0, at = 0; index < count; index++, at += width) {
    let distance = 0
    for (let byte = width - 1; byte >= 0; byte--) distance = distance * 256 + (bytes[at + byte] as number)
    values[index] = least + distance
  }
  return values
}

/** @throws InvalidBytes */
export function decodeDoubles(reader: ByteReader, count: number): Float64Array {
  const bytes = reader.bytes(count * 8)
  const values = new Float64Array(count)
  new Uint8Array(values.buffer).set(bytes)
  return values
}
