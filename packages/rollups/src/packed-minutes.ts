import { ByteReader, ByteWriter } from '@millrace/sketches'

/** Counts and sums of one minute. */
export interface MinuteValues {
  readonly count: number
  /** As a sum in double-double arithmetic, with least and greatest; null where there is no number. */
  readonly numbers: {
    readonly sum: number
    readonly sumError: number
    readonly min: number
    readonly max: number
  } | null
}

const VERSION = 1

/** Consecutive minutes, null where there is nothing: counts alone take a byte or two each. */
export function packMinutes(minutes: readonly (MinuteValues | null)[]): Buffer {
  const writer = new ByteWriter(minutes.length * 40)
  writer.varint(VERSION)
  for (const minute of minutes) {
    const numbers = minute?.numbers ?? null
    writer.varint((minute?.count ?? 0) * 2 + (numbers === null ? 0 : 1))
    if (numbers === null) continue
    for (const value of [numbers.sum, numbers.sumError, numbers.min, numbers.max]) writer.double(value)
  }
  return writer.finish()
}

/** In the order they were packed. @throws RangeError when the bytes are no such minutes or are damaged. */
export function unpackMinutes(bytes: Uint8Array): MinuteValues[] {
  const reader = openReader(bytes)
  const minutes: MinuteValues[] = []
  while (!reader.isAtEnd) {
    const packed = reader.varint()
    const hasNumbers = packed % 2 === 1
    minutes.push({
      count: (packed - (hasNumbers ? 1 : 0)) / 2,
      numbers: hasNumbers
        ? { sum: reader.double(), sumError: reader.double(), min: reader.double(), max: reader.double() }
        : null,
    })
  }
  return minutes
}

/** Serialised sketches of consecutive minutes, null where there is none. */
export function packSketches(sketches: readonly (Uint8Array | null)[]): Buffer {
  const writer = new ByteWriter(16 + sketches.reduce((bytes, sketch) => bytes + 4 + (sketch?.length ?? 0), 0))
  writer.varint(VERSION)
  for (const sketch of sketches) {
    writer.varint(sketch?.length ?? 0)
    if (sketch !== null) writer.bytes(sketch)
  }
  return writer.finish()
}

/** Views of `bytes`, in the order they were packed. @throws RangeError when the bytes are no such sketches or are damaged. */
export function unpackSketches(bytes: Uint8Array): (Uint8Array | null)[] {
  const reader = openReader(bytes)
  const sketches: (Uint8Array | null)[] = []
  while (!reader.isAtEnd) {
    const length = reader.varint()
    sketches.push(length === 0 ? null : reader.bytes(length))
  }
  return sketches
}

function openReader(bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(bytes, 0)
  if (reader.varint() !== VERSION) throw new RangeError('not packed minutes of a known version')
  return reader
}
