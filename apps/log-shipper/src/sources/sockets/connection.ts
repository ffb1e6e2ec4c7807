import type { Socket } from 'node:net'
import type { LogSink } from '../../records/log-sink.js'
import { addMessages, type Framer, type SocketWire } from './socket-wire.js'

/** While more bytes than this of one connection are being stored, nothing is read from it. */
const UNSTORED_BYTES_MAX = 4 * 1_048_576

/** Stores lines; resolves when they are safe. */
export type StoreLines = (fill: (sink: LogSink, receivedAtMs: number) => void, onWait: () => void) => Promise<void>

/** Hands the messages of one connection over as they come; each piece that is received becomes one append. */
export class LineConnection<Message extends { readonly bytes: Buffer }> {
  readonly #socket: Socket
  readonly #wire: SocketWire<Message>
  readonly #store: StoreLines
  readonly #onFault: (error: unknown) => void
  readonly #framer: Framer<Message>
  readonly #storing = new Set<Promise<void>>()
  readonly #peer: string
  #unstoredBytes = 0

  constructor(
    socket: Socket,
    wire: SocketWire<Message>,
    { store, onFault }: { readonly store: StoreLines; readonly onFault: (error: unknown) => void },
  ) {
    this.#socket = socket
    this.#wire = wire
    this.#store = store
    this.#onFault = onFault
    this.#framer = wire.createFramer()
    this.#peer = socket.remoteAddress ?? ''
    socket.on('data', (chunk) => this.#take(this.#framer.push(chunk)))
    // A client may leave without an end after its last message.
    socket.on('close', () => this.#take(this.#framer.end()))
    socket.on('error', () => socket.destroy())
  }

  /** Reads nothing more, and resolves when everything that was read is stored, or cannot be. */
  async stop(): Promise<void> {
    this.#socket.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.allSettled(this.#storing)
  }

  #take(messages: readonly Message[]): void {
    if (messages.length === 0) return
    const bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0)
    this.#unstoredBytes += bytes
    if (this.#unstoredBytes > UNSTORED_BYTES_MAX) this.#socket.pause()
    const sent = messages.map((message) => ({ message, peer: this.#peer }))
    const fill = (sink: LogSink, receivedAtMs: number) => addMessages(this.#wire, sent, { sink, receivedAtMs })
    const stored = this.#store(fill, () => this.#socket.pause())
      .catch((error: unknown) => {
        this.#onFault(error)
        this.#socket.destroy()
      })
      .finally(() => {
        this.#storing.delete(stored)
        this.#unstoredBytes -= bytes
        if (this.#unstoredBytes <= UNSTORED_BYTES_MAX) this.#socket.resume()
      })
    this.#storing.add(stored)
  }
}
