import pg from 'pg'
import type { CopyTarget } from './statement.js'

/** Signature, flags and the length of the header extension, https://www.postgresql.org/docs/current/sql-copy.html ("Binary Format"). */
const HEADER = Buffer.from('5047434f50590aff0d0a000000000000000000', 'hex')
/** A field count of -1. */
const TRAILER = Buffer.from([0xff, 0xff])
const COPY_DONE = Buffer.from([0x63, 0, 0, 0, 4])
const COPY_DATA = 0x64

/** Payload of one CopyData message: small enough that the server parses one while the next arrives, large enough that framing costs nothing. */
const MESSAGE_BYTES_MAX = 128 * 1024

/** The COPY statement, with quoted names. */
export function copyText({ table, columns }: CopyTarget): string {
  return `copy ${pg.escapeIdentifier(table)} (${columns.map(pg.escapeIdentifier).join(', ')}) from stdin (format binary)`
}

/** The protocol messages of one COPY: CopyData with header, chunks and trailer, then CopyDone. Chunks are cut, not copied. */
export function* copyFrames(chunks: readonly Buffer[]): Generator<Buffer> {
  yield messageHeader(HEADER.length)
  yield HEADER
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += MESSAGE_BYTES_MAX) {
      const piece = chunk.subarray(from, from + MESSAGE_BYTES_MAX)
      yield messageHeader(piece.length)
      yield piece
    }
  }
  yield messageHeader(TRAILER.length)
  yield TRAILER
  yield COPY_DONE
}

function messageHeader(payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(5)
  header[0] = COPY_DATA
  header.writeUInt32BE(payloadBytes + 4, 1)
  return header
}
