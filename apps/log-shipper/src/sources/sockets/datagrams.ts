import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { StoreLines } from './connection.js'
import { addMessages, type SocketWire } from './socket-wire.js'

/** Messages that wait to be stored. A sender of datagrams cannot be told to wait, so beyond this they are dropped and counted. */
const QUEUE_BYTES_MAX = 16 * 1_048_576
/** The kernel keeps this much while this process is busy. */
const RECEIVE_BUFFER_BYTES = 4 * 1_048_576

/** Takes messages by UDP, and stores all that have come while the ones before were stored. */
export class LineDatagrams<Message extends { readonly bytes: Buffer }> {
  readonly #socket: Socket
  readonly #wire: SocketWire<Message>
  readonly #store: StoreLines
  readonly #onDropped: (messages: number) => void
  readonly #read: (datagram: Buffer, peer: string) => Message | undefined
  #queue: { readonly peer: string; readonly message: Message }[] = []
  #queuedBytes = 0
  #storing: Promise<void> | undefined

  constructor(
    socket: Socket,
    wire: SocketWire<Message>,
    { store, onDropped }: { readonly store: StoreLines; readonly onDropped: (messages: number) => void },
  ) {
    this.#socket = socket
    this.#wire = wire
    this.#store = store
    this.#onDropped = onDropped
    this.#read = wire.createDatagramReader(onDropped)
    socket.on('message', (bytes, { address }) => this.#take(bytes, address))
  }

  /** Takes no more datagrams, and resolves when those that came are stored, or cannot be. */
  async stop(): Promise<void> {
    this.#socket.close()
    await this.#storing
  }

  #take(datagram: Buffer, peer: string): void {
    const message = this.#read(datagram, peer)
    if (message === undefined) return
    const { length } = message.bytes
    if (this.#queuedBytes + length > QUEUE_BYTES_MAX) {
      this.#onDropped(1)
      return
    }
    this.#queue.push({ peer, message })
    this.#queuedBytes += length
    this.#storing ??= this.#storeQueue().finally(() => {
      this.#storing = undefined
    })
  }

  async #storeQueue(): Promise<void> {
    while (this.#queue.length > 0) {
      // Datagrams that have come already are taken together.
      await new Promise((resolve) => setImmediate(resolve))
      const queue = this.#queue
      const bytes = queue.reduce((sum, { message }) => sum + message.bytes.length, 0)
      this.#queue = []
      try {
        await this.#store(
          (sink, receivedAtMs) => addMessages(this.#wire, queue, { sink, receivedAtMs }),
          () => {},
        )
      } catch {
        this.#onDropped(queue.length)
      }
      this.#queuedBytes -= bytes
    }
  }
}

/** A UDP socket that listens. */
export async function bindDatagrams(host: string, port: number): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(port, host)
  await once(socket, 'listening')
  socket.on('error', () => {})
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
  } catch {
    // The system allows less; it works with what it has.
  }
  return socket
}
