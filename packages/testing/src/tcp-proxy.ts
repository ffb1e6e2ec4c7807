import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { hold } from './leaks.js'

/**
 * What a proxy does with the bytes it gets:
 * - `pass`: passes them on.
 * - `refuse`: resets open connections and refuses new ones.
 * - `slow`: passes each chunk on after `delayMs`, in both directions.
 * - `swallow-requests`, `swallow-answers`: drops what goes to the server, or what comes from it. A connection that lost bytes stays dead in that
 *   direction, as after a firewall has forgotten it: nobody closes it.
 */
export type ProxyMode = 'pass' | 'refuse' | 'slow' | 'swallow-requests' | 'swallow-answers'

export interface TcpProxyOptions {
  /** Delay of each chunk in mode `slow`, in ms. Default 2,000. */
  readonly delayMs?: number
}

/** A TCP proxy on 127.0.0.1 in front of a server, for tests of what happens when the network or the server fails. */
export interface TcpProxy {
  readonly port: number
  /** The URL with host and port replaced by those of the proxy. */
  through(url: string): string
  /** Where new connections go. */
  target(port: number): void
  set(mode: ProxyMode): Promise<void>
  /** How many connections have lost bytes so far. */
  readonly torn: number
  stop(): Promise<void>
}

const HOST = '127.0.0.1'

/** Starts a proxy in front of a port of this machine; `stop` gives it back. */
export async function startTcpProxy(targetPort: number, { delayMs = 2_000 }: TcpProxyOptions = {}): Promise<TcpProxy> {
  const state = { mode: 'pass' as ProxyMode, port: targetPort, delayMs, torn: 0 }
  const links = new Set<Link>()
  const server = createServer((client) => {
    const link = new Link(client, state, () => links.delete(link))
    links.add(link)
  })
  await listen(server, 0)
  const { port } = server.address() as AddressInfo
  const close = async (end: 'reset' | 'destroy') => {
    if (!server.listening) return
    server.close()
    for (const link of links) link[end]()
    await once(server, 'close')
  }
  return {
    port,
    through: (url) => {
      const changed = new URL(url)
      changed.host = `${HOST}:${port}`
      return changed.href
    },
    target: (next) => {
      state.port = next
    },
    set: async (mode) => {
      state.mode = mode
      if (mode === 'refuse') await close('reset')
      else if (!server.listening) await listen(server, port)
    },
    get torn() {
      return state.torn
    },
    stop: hold(`TCP proxy on port ${port}`, () => close('destroy')),
  }
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, HOST)
  await once(server, 'listening')
}

interface ProxyState {
  readonly mode: ProxyMode
  readonly port: number
  readonly delayMs: number
  torn: number
}

/** One connection of a client and its connection to the server. */
class Link {
  readonly #client: Socket
  readonly #upstream: Socket

  /** `onClosed` is called when both connections are closed: after lost bytes, one of them may stay open for long after the other. */
  constructor(client: Socket, state: ProxyState, onClosed: () => void) {
    this.#client = client
    this.#upstream = connect({ host: HOST, port: state.port, noDelay: true })
    client.setNoDelay(true)
    let open = 2
    for (const socket of [this.#client, this.#upstream]) {
      socket.once('close', () => {
        if (--open === 0) onClosed()
      })
    }
    forward(client, this.#upstream, { state, swallow: 'swallow-requests' })
    forward(this.#upstream, client, { state, swallow: 'swallow-answers' })
  }

  reset(): void {
    this.#client.resetAndDestroy()
    this.#upstream.resetAndDestroy()
  }

  /**
   * Closes both without a reset. When the peer closes a connection at the moment of a reset, Node 20 forgets the socket and leaves it open, and the process
   * cannot end.
   */
  destroy(): void {
    this.#client.destroy()
    this.#upstream.destroy()
  }
}

/** Passes on bytes, the end and errors of one direction. */
function forward(from: Socket, to: Socket, { state, swallow }: { state: ProxyState; swallow: ProxyMode }): void {
  const line = new DelayLine(() => (state.mode === 'slow' ? state.delayMs : 0))
  let isDead = false
  from.on('data', (chunk) => {
    if (!isDead && state.mode === swallow) {
      isDead = true
      state.torn++
    }
    if (isDead) return
    line.add(() => {
      if (!to.writable || to.write(chunk)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
  })
  from.on('end', () => {
    if (!isDead) line.add(() => to.end())
  })
  from.on('error', () => to.destroy())
  from.on('close', () => {
    if (!isDead) line.add(() => to.destroySoon())
  })
}

/** Does one thing after another, each after the delay at its time. What comes later never overtakes, also when the delay has ended meanwhile. */
class DelayLine {
  readonly #delayMs: () => number
  readonly #waiting: { readonly atMs: number; readonly work: () => void }[] = []

  constructor(delayMs: () => number) {
    this.#delayMs = delayMs
  }

  add(work: () => void): void {
    const delayMs = this.#delayMs()
    if (delayMs === 0 && this.#waiting.length === 0) {
      work()
      return
    }
    this.#waiting.push({ atMs: performance.now() + delayMs, work })
    if (this.#waiting.length === 1) this.#next()
  }

  #next(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const run = () => {
      this.#waiting.shift()
      first.work()
      this.#next()
    }
    setTimeout(run, first.atMs - performance.now())
  }
}
