import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Principal } from '@millrace/auth'
import { isMillraceError } from '@millrace/contracts'
import { DecodeFault } from '../../fields/decode-fault.js'
import type { AcceptLogs } from '../../intake/accept-logs.js'
import { packMap, packText } from '../msgpack-writer.js'
import { storeWithRetry } from '../store-with-retry.js'
import type { ChunkWindow } from './chunk-window.js'
import { addEntries, type ForwardMessage, readMessage } from './decode.js'
import { checkPing, packHelo } from './handshake.js'
import { MessageFramer } from './message-framer.js'

const unzip = promisify(gunzip)

/** Zeros compress 1,000 times; log lines do not reach a tenth of that. */
const INFLATE_RATIO_MAX = 100
/** Bodies that are small may have a higher ratio. */
const INFLATE_BYTES_MIN = 1_048_576

export interface ForwardConfig {
  /** Largest message, also after decompression, in bytes. */
  readonly messageBytesMax: number
  /** While more bytes than this of one connection are being stored, nothing is read from it. */
  readonly unstoredBytesMax: number
  /** How this server calls itself in a handshake. */
  readonly hostname: string
  /** API keys that clients may use as their shared key. */
  readonly keys: readonly string[]
  /** Whether a client must prove by a handshake that it knows a key. Without one the first key counts for every client. */
  readonly needsHandshake: boolean
}

export interface ForwardDeps {
  readonly acceptLogs: AcceptLogs
  readonly chunks: ChunkWindow
  /** @throws when the key is not valid, or keys cannot be looked up */
  readonly verifyKey: (key: string) => Principal | Promise<Principal>
  /** Called with the reason for which a connection is closed that was not closed by its client. */
  readonly onFault: (reason: string, error?: unknown) => void
}

/** One connection of a client of the Forward protocol. */
export class ForwardConnection {
  readonly #socket: Socket
  readonly #config: ForwardConfig
  readonly #deps: ForwardDeps
  readonly #framer: MessageFramer
  readonly #nonce = randomBytes(16)
  #principal: Promise<Principal> | undefined
  #unstoredBytes = 0
  #isClosed = false
  readonly #storing = new Set<Promise<void>>()

  constructor(socket: Socket, config: ForwardConfig, deps: ForwardDeps) {
    this.#socket = socket
    this.#config = config
    this.#deps = deps
    this.#framer = new MessageFramer(config.messageBytesMax)
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#isClosed = true
    })
    if (config.needsHandshake) socket.write(packHelo(this.#nonce))
    else this.#principal = this.#verify(config.keys[0] as string)
  }

  /** Reads nothing more, and resolves when everything that was read is stored and acknowledged, or cannot be. */
  async stop(): Promise<void> {
    this.#socket.pause()
    this.#isClosed = true
    await Promise.allSettled(this.#storing)
    this.#socket.end()
    this.#socket.destroySoon()
  }

  #receive(chunk: Buffer): void {
    try {
      for (const bytes of this.#framer.push(chunk)) {
        if (this.#principal === undefined) this.#greet(bytes)
        else this.#take(bytes)
      }
    } catch (error) {
      if (error instanceof DecodeFault) this.#close(error.message)
      else this.#close('an internal error', error)
    }
  }

  #greet(bytes: Buffer): void {
    const { key, pong } = checkPing(bytes, { ...this.#config, nonce: this.#nonce })
    this.#socket.write(pong)
    if (key === undefined) throw new DecodeFault('invalid_record', 'the client does not know the shared key')
    this.#principal = this.#verify(key)
  }

  async #verify(key: string): Promise<Principal> {
    return await this.#deps.verifyKey(key)
  }

  #take(bytes: Buffer): void {
    const message = readMessage(bytes)
    if (message === undefined) return
    this.#unstoredBytes += bytes.length
    if (this.#unstoredBytes > this.#config.unstoredBytesMax) this.#socket.pause()
    const stored = this.#store(message)
      .catch((error: unknown) => this.#close(describe(error), isMillraceError(error) ? undefined : error))
      .finally(() => {
        this.#storing.delete(stored)
        this.#unstoredBytes -= bytes.length
        if (this.#unstoredBytes <= this.#config.unstoredBytesMax && !this.#isClosed) this.#socket.resume()
      })
    this.#storing.add(stored)
  }

  async #store(message: ForwardMessage): Promise<void> {
    const principal = await (this.#principal as Promise<Principal>)
    const { chunk } = message
    const take = () => this.#accept(message, principal)
    if (chunk === undefined) await take()
    else {
      await this.#deps.chunks.once(principal.tenantId, chunk, take)
      if (!this.#socket.destroyed) this.#socket.write(packMap({ ack: packText(chunk) }))
    }
  }

  /** While the stream takes nothing, nothing more is read, so that the client waits too. */
  async #accept(message: ForwardMessage, principal: Principal): Promise<void> {
    const { tag, entries } = message
    const bytes = await this.#unpack(message)
    const store = () =>
      this.#deps.acceptLogs({ principal, source: 'forward' }, (sink) =>
        addEntries(tag, { mode: entries.mode, bytes }, sink),
      )
    await storeWithRetry(store, { isStopped: () => this.#isClosed, onWait: () => this.#socket.pause() })
  }

  async #unpack({ entries }: ForwardMessage): Promise<Buffer> {
    if (entries.mode !== 'packed' || entries.compression === 'text') return entries.bytes
    const ratioMax = Math.max(entries.bytes.length * INFLATE_RATIO_MAX, INFLATE_BYTES_MIN)
    try {
      return await unzip(entries.bytes, { maxOutputLength: Math.min(ratioMax, this.#config.messageBytesMax) })
    } catch (error) {
      throw new DecodeFault('invalid_record', `a message cannot be decompressed: ${(error as Error).message}`)
    }
  }

  #close(reason: string, error?: unknown): void {
    if (this.#socket.destroyed) return
    this.#deps.onFault(reason, error)
    this.#isClosed = true
    this.#socket.destroySoon()
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : 'an unknown error'
}
