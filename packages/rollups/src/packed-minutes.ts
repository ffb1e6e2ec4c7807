import { ByteReader, ByteWriter } from '@millrace/sketches'

/** Count and numbers of one minute of a series. */
export interface MinuteValues {
  readonly count: number
  /** The sum in double-double arithmetic (see ExactSum), minimum and maximum; null when there is no number. */
  readonly numbers: {
    readonly sum: number
    readonly sumError: number
    readonly min: number
    readonly max: number
  } | null
}

const VERSION = 1

/** Packs consecutive minutes, null for a minute without records. A minute with a count alone takes a byte or two. */
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

/**
 * The packed minutes in order.
 * @throws RangeError when the bytes are not packed minutes or are damaged.
 */
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

/** Packs serialised sketches of consecutive minutes, null for a minute without one. */
export function packSketches(sketches: readonly (Uint8Array | null)[]): Buffer {
  const writer = new ByteWriter(16 + sketches.reduce((bytes, sketch) => bytes + 4 + (sketch?.length ?? 0), 0))
  writer.varint(VERSION)
  for (const sketch of sketches) {
    writer.varint(sketch?.length ?? 0)
    if (sketch !== null) writer.bytes(sketch)
  }
  return writer.finish()
}

/**
 * The packed sketches in order, as views of `bytes`.
 * @throws RangeError when the bytes are not packed sketches or are damaged.
 */
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
