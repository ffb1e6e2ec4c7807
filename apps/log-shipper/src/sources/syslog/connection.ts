import type { Socket } from 'node:net'
import type { LogSink } from '../../records/log-sink.js'
import { decodeSyslog } from './decode.js'
import { type SyslogFrame, SyslogFramer } from './syslog-framer.js'

/** Beyond it a message is cut; limits of records hold for what is in it. */
const FRAME_BYTES_MAX = 1_048_576
/** While more bytes than this of one connection are being stored, nothing is read from it. */
const UNSTORED_BYTES_MAX = 4 * 1_048_576

/** Stores lines; resolves when they are safe. */
export type StoreLines = (fill: (sink: LogSink, receivedAtMs: number) => void, onWait: () => void) => Promise<void>

/** Hands the messages of one connection over as they come; each piece that is received becomes one append. */
export class SyslogConnection {
  readonly #socket: Socket
  readonly #store: StoreLines
  readonly #onFault: (error: unknown) => void
  readonly #framer = new SyslogFramer(FRAME_BYTES_MAX)
  readonly #storing = new Set<Promise<void>>()
  readonly #peer: string
  #unstoredBytes = 0

  constructor(socket: Socket, store: StoreLines, onFault: (error: unknown) => void) {
    this.#socket = socket
    this.#store = store
    this.#onFault = onFault
    this.#peer = socket.remoteAddress ?? ''
    socket.on('data', (chunk) => this.#take(this.#framer.push(chunk)))
    // A client may leave without a line feed after its last message.
    socket.on('close', () => this.#take(this.#framer.end()))
    socket.on('error', () => socket.destroy())
  }

  /** Reads nothing more, and resolves when everything that was read is stored, or cannot be. */
  async stop(): Promise<void> {
    this.#socket.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    await Promise.allSettled(this.#storing)
  }

  #take(frames: readonly SyslogFrame[]): void {
    if (frames.length === 0) return
    const bytes = frames.reduce((sum, frame) => sum + frame.bytes.length, 0)
    this.#unstoredBytes += bytes
    if (this.#unstoredBytes > UNSTORED_BYTES_MAX) this.#socket.pause()
    const fill = (sink: LogSink, receivedAtMs: number) => addFrames(frames, this.#peer, { sink, receivedAtMs })
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

/** Adds the records of messages; one without a host gets the address of its sender. */
export function addFrames(
  frames: readonly SyslogFrame[],
  peer: string,
  { sink, receivedAtMs }: { readonly sink: LogSink; readonly receivedAtMs: number },
): void {
  for (const frame of frames) {
    const record = decodeSyslog(frame, receivedAtMs)
    sink.add(record.host === '' ? { ...record, host: peer.replace(/^::ffff:/, '') } : record)
  }
}
