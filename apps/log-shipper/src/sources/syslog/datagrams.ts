import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { StoreLines } from './connection.js'
import { addFrames } from './connection.js'
import type { SyslogFrame } from './syslog-framer.js'

/** Messages that wait to be stored. A sender of datagrams cannot be told to wait, so beyond this they are dropped and counted. */
const QUEUE_BYTES_MAX = 16 * 1_048_576
/** The kernel keeps this much while this process is busy. */
const RECEIVE_BUFFER_BYTES = 4 * 1_048_576

/** Takes syslog messages by UDP, one a datagram, and stores all that have come while the ones before were stored. */
export class SyslogDatagrams {
  readonly #socket: Socket
  readonly #store: StoreLines
  readonly #onDropped: (datagrams: number) => void
  #queue: { readonly peer: string; readonly frame: SyslogFrame }[] = []
  #queuedBytes = 0
  #storing: Promise<void> | undefined

  constructor(socket: Socket, store: StoreLines, onDropped: (datagrams: number) => void) {
    this.#socket = socket
    this.#store = store
    this.#onDropped = onDropped
    socket.on('message', (bytes, { address }) => this.#take(bytes, address))
  }

  /** Takes no more datagrams, and resolves when those that came are stored, or cannot be. */
  async stop(): Promise<void> {
    this.#socket.close()
    await this.#storing
  }

  #take(bytes: Buffer, peer: string): void {
    let { length } = bytes
    while (length > 0 && (bytes[length - 1] as number) <= 0x0d) length--
    if (length === 0) return
    if (this.#queuedBytes + length > QUEUE_BYTES_MAX) {
      this.#onDropped(1)
      return
    }
    this.#queue.push({ peer, frame: { bytes: bytes.subarray(0, length), originalBytes: 0 } })
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
      const bytes = this.#queuedBytes
      this.#queue = []
      try {
        await this.#store(
          (sink, receivedAtMs) => {
            for (const { frame, peer } of queue) addFrames([frame], peer, { sink, receivedAtMs })
          },
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
