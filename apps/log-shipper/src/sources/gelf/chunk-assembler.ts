const CHUNK_HEADER_BYTES = 12
/** The format allows no more. */
const CHUNKS_MAX = 128
/** The format demands that a message whose chunks do not all come within this time is dropped. */
const WAIT_MS_MAX = 5_000
/** Messages that wait for chunks, over all senders. */
const BYTES_MAX = 16 * 1_048_576
const MESSAGES_MAX = 10_000

interface Partial {
  readonly chunks: (Buffer | undefined)[]
  readonly startedAt: number
  missing: number
  bytes: number
}

/** What became of a datagram: a whole message, a chunk that waits for others, or nothing that could be used. */
export type AssembledDatagram =
  | { readonly kind: 'message'; readonly bytes: Buffer }
  | { readonly kind: 'waits' | 'invalid' }

/** Whether a datagram is a chunk of a message of GELF. */
export function isChunk(datagram: Buffer): boolean {
  return datagram.length >= 2 && datagram[0] === 0x1e && datagram[1] === 0x0f
}

/** Puts the chunks of messages together that are larger than a datagram. Memory is bounded: the messages that wait longest are dropped for new ones. */
export class ChunkAssembler {
  readonly #waiting = new Map<string, Partial>()
  readonly #now: () => number
  readonly #onDropped: (messages: number) => void
  #bytes = 0

  /** `now` is monotonic, in ms. `onDropped` is called for messages whose chunks did not all come in time. */
  constructor(now: () => number, onDropped: (messages: number) => void) {
    this.#now = now
    this.#onDropped = onDropped
  }

  /** `sender` tells senders apart that use the same id. */
  push(datagram: Buffer, sender: string): AssembledDatagram {
    this.#dropOld()
    if (datagram.length <= CHUNK_HEADER_BYTES) return { kind: 'invalid' }
    const number = datagram[10] as number
    const count = datagram[11] as number
    if (count === 0 || count > CHUNKS_MAX || number >= count) return { kind: 'invalid' }
    const key = `${sender} ${datagram.toString('hex', 2, 10)}`
    const message = this.#waiting.get(key) ?? this.#begin(key, count)
    if (message.chunks.length !== count) return { kind: 'invalid' }
    const chunk = datagram.subarray(CHUNK_HEADER_BYTES)
    // A datagram may come twice.
    if (message.chunks[number] !== undefined) return { kind: 'waits' }
    message.chunks[number] = chunk
    message.missing--
    message.bytes += chunk.length
    this.#bytes += chunk.length
    if (message.missing > 0) return { kind: 'waits' }
    this.#remove(key, message)
    return { kind: 'message', bytes: Buffer.concat(message.chunks as Buffer[]) }
  }

  #begin(key: string, count: number): Partial {
    const message = {
      chunks: new Array<Buffer | undefined>(count).fill(undefined),
      startedAt: this.#now(),
      missing: count,
      bytes: 0,
    }
    this.#waiting.set(key, message)
    return message
  }

  #remove(key: string, message: Partial): void {
    this.#waiting.delete(key)
    this.#bytes -= message.bytes
  }

  /** A Map keeps the order in which messages began. */
  #dropOld(): void {
    let dropped = 0
    for (const [key, message] of this.#waiting) {
      const isLate = this.#now() - message.startedAt > WAIT_MS_MAX
      if (!isLate && this.#bytes <= BYTES_MAX && this.#waiting.size < MESSAGES_MAX) break
      this.#remove(key, message)
      dropped++
    }
    if (dropped > 0) this.#onDropped(dropped)
  }
}
