import { crc32 } from 'node:zlib'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { type Codec, compress, smallestCodec } from '../codecs/codecs.js'
import { columnStoreErrors } from '../column-store-errors.js'
import type { Appender } from '../columns/columns.js'
import { COLUMN_BYTES_MAX } from '../limits.js'
import { VARIABLES } from '../schema.js'
import { type ChunkColumn, type ChunkSegment, codecIdOf, encodeChunkHead } from './chunk-head.js'

/** A chunk in the parts in which it is stored. Put together, the head first, they are a chunk file. */
export interface ChunkParts {
  readonly rows: number
  readonly head: Buffer
  readonly segments: readonly { readonly name: string; readonly bytes: Buffer }[]
}

interface Place {
  readonly index: number
  readonly bytes: GrowingBytes
}

/** The codec of a segment by its name; segments that are not named get the smallest one. */
export type SegmentCodecs = Readonly<Record<string, Codec>>

/**
 * Makes a chunk of collected columns.
 * @throws COLUMN_BATCH_FULL when a segment would have more than COLUMN_BYTES_MAX bytes
 */
export function encodeChunk(appenders: readonly Appender[], codecs: SegmentCodecs): ChunkParts {
  const rows = appenders[0]?.rows ?? 0
  const places = new Map<string, Place>()
  const columns = appenders.map((appender) => encodeColumn(appender, places))
  const segments: ChunkSegment[] = []
  const stored: { name: string; bytes: Buffer }[] = []
  for (const [name, { bytes: raw }] of places) {
    if (raw.length > COLUMN_BYTES_MAX)
      throw columnStoreErrors.COLUMN_BATCH_FULL({ message: `segment ${name} has more than ${COLUMN_BYTES_MAX} bytes` })
    const { codec, bytes } = compress(codecs[name] ?? smallestCodec(), Buffer.from(raw.view()))
    segments.push({
      name,
      codecId: codecIdOf(codec),
      rawBytes: raw.length,
      storedBytes: bytes.length,
      crc: crc32(bytes),
    })
    stored.push({ name, bytes })
  }
  return { rows, head: encodeChunkHead({ rows, columns, segments }), segments: stored }
}

function encodeColumn(appender: Appender, places: Map<string, Place>): ChunkColumn {
  const { name, type, optional, width, segment } = appender.column
  const place = placeOf(places, segment)
  const extra = new GrowingBytes()
  const start = place.bytes.beginLength()
  appender.encodeStored(place.bytes, extra)
  place.bytes.endLength(start)
  const extraPlace = extra.length === 0 ? undefined : placeOf(places, name + VARIABLES)
  if (extraPlace !== undefined) {
    extraPlace.bytes.u32(extra.length)
    extraPlace.bytes.append(extra.buffer, 0, extra.length)
  }
  return { name, type, optional, width, segment: place.index, extraSegment: extraPlace?.index, range: appender.range() }
}

function placeOf(places: Map<string, Place>, name: string): Place {
  const found = places.get(name)
  if (found !== undefined) return found
  const place = { index: places.size, bytes: new GrowingBytes(4096) }
  places.set(name, place)
  return place
}
