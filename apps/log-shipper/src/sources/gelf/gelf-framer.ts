import type { Framer } from '../sockets/socket-wire.js'

/** One message as it was sent. */
export interface GelfFrame {
  readonly bytes: Buffer
  /** Whether it is longer than is allowed; `bytes` is its beginning. */
  readonly isTooLong: boolean
}

const NUL = 0

/** Cuts what a connection receives into messages, each of which ends with a zero byte. Of a message beyond `bytesMax` the rest is thrown away. */
export class GelfFramer implements Framer<GelfFrame> {
  readonly #bytesMax: number
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  push(chunk: Buffer): GelfFrame[] {
    const frames: GelfFrame[] = []
    let start = 0
    for (let end = chunk.indexOf(NUL); end >= 0; end = chunk.indexOf(NUL, start)) {
      this.#keep(chunk.subarray(start, end))
      frames.push(...this.end())
      start = end + 1
    }
    // A copy, so that a few bytes do not hold a large buffer.
    this.#keep(Buffer.from(chunk.subarray(start)))
    return frames
  }

  end(): GelfFrame[] {
    const pieces = this.#pieces
    const isTooLong = this.#bytes > this.#bytesMax
    this.#pieces = []
    this.#bytes = 0
    const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
    // Some clients end a message with a line feed as well.
    return bytes.some((byte) => byte > 0x20) ? [{ bytes, isTooLong }] : []
  }

  #keep(piece: Buffer): void {
    const room = Math.max(0, this.#bytesMax - this.#bytes)
    this.#bytes += piece.length
    if (room > 0 && piece.length > 0) this.#pieces.push(piece.length > room ? piece.subarray(0, room) : piece)
  }
}
