import { randomUUID } from 'node:crypto'
import { cacheErrors } from './cache-errors.js'
import type { Load, LoadContext, ReadOptions } from './cache-types.js'
import { sleep, withLimit } from './clock.js'
import { keepLoaded } from './keep-loaded.js'
import { type HeldLease, holdLease } from './lease.js'
import type { MemoryEntry } from './memory-tier.js'
import type { NamespaceCore } from './namespace-core.js'
import { readRemote } from './remote-reader.js'

const waitMsMin = 5
const waitMsMax = 50

export interface FlightOptions<T> {
  readonly key: string
  readonly load: Load<T>
  readonly read: ReadOptions<T>
  /** What Redis has counts only if it lives longer than this, in ms; Infinity: the source is asked. */
  readonly neededMs: number
  /** Flights and arrivals of one namespace are numbered in one order. */
  readonly order: number
}

export interface Landed<T> {
  readonly entry: MemoryEntry<T>
  readonly source: 'redis' | 'source'
}

/** One attempt to get one key that everybody who asks meanwhile shares: ask Redis, wait for or be the one who loads, load, keep. */
export class Flight<T> {
  readonly order: number
  /** The source is asked whatever Redis has. */
  readonly isForced: boolean
  /** Redis was asked; if it had a stale value, that is in memory now. Never rejects. */
  readonly asked: Promise<void>
  readonly result: Promise<Landed<T>>
  readonly #core: NamespaceCore<T>
  readonly #options: FlightOptions<T>
  readonly #startedAs: number
  readonly #deadlineMs: number
  #lease: HeldLease | undefined

  constructor(core: NamespaceCore<T>, options: FlightOptions<T>) {
    this.#core = core
    this.#options = options
    this.order = options.order
    this.isForced = options.neededMs === Number.POSITIVE_INFINITY
    this.#startedAs = core.generations.sequence
    this.#deadlineMs = core.clock.monotonicMs() + core.settings.hardTimeoutMs
    let resolveAsked: () => void = () => undefined
    this.asked = new Promise((resolve) => {
      resolveAsked = resolve
    })
    this.result = this.#run(resolveAsked).finally(resolveAsked)
    // Who leaves with a stale value does not wait for the result.
    this.result.catch(() => undefined)
  }

  /** False once it is certain that its value would be the old one for whoever asks now. */
  get isCurrent(): boolean {
    return this.#core.generations.isCurrent(this.#options.key, this.#options.read.tags ?? [], this.#startedAs)
  }

  /** Lets another flight load at once; what this one loads goes to those who wait for it and to memory at most. */
  giveUpLease(): void {
    this.#lease?.release(false)
  }

  async #run(asked: () => void): Promise<Landed<T>> {
    const found = await this.#askRemote(asked)
    return found === undefined ? { entry: await this.#load(), source: 'source' } : { entry: found, source: 'redis' }
  }

  async #askRemote(asked: () => void): Promise<MemoryEntry<T> | undefined> {
    const { key } = this.#options
    let { neededMs } = this.#options
    if (this.#core.shared === undefined || !this.#core.settings.isShared) return undefined
    const claim = { token: randomUUID(), leaseMs: this.#core.leaseMs }
    for (let waitMs = waitMsMin; ; waitMs = Math.min(waitMs * 2, waitMsMax)) {
      const answer = await readRemote(this.#core, key, { lease: claim, neededMs })
      asked()
      if (answer === undefined) return undefined
      if (answer.quality === 'fresh' && answer.entry !== undefined) return answer.entry
      if (answer.lease === 'leased')
        this.#lease = holdLease(this.#core, key, { token: claim.token, mark: answer.mark, grantedAtMs: answer.atMs })
      if (answer.lease === 'leased' || answer.lease === 'open') return undefined
      // There is a value, and it cannot be decoded: from now on it counts as none.
      if (answer.lease === 'unasked') neededMs = Number.POSITIVE_INFINITY
      if (this.#core.clock.monotonicMs() >= this.#deadlineMs) throw this.#timeout()
      await sleep(this.#core.clock, waitMs * (0.5 + this.#core.random() / 2))
    }
  }

  async #load(): Promise<MemoryEntry<T>> {
    const { clock, counters, generations } = this.#core
    const { key, load, read } = this.#options
    const begun = { asOf: generations.sequence, atMs: clock.monotonicMs(), wallMs: clock.wallMs() }
    const tags = new Set(read.tags)
    let asked: Pick<ReadOptions<T>, 'ttlMs' | 'staleMs'> = read
    let isSkipped = false
    const controller = new AbortController()
    const context: LoadContext = {
      key,
      signal: controller.signal,
      tag: (...more) => {
        for (const tag of more) tags.add(tag)
      },
      expire: (ttlMs, staleMs) => {
        asked = { ttlMs, ...(staleMs === undefined ? {} : { staleMs }) }
      },
      skip: () => {
        isSkipped = true
      },
    }
    try {
      const limitMs = Math.max(0, this.#deadlineMs - begun.atMs)
      const value = await withLimit(clock, limitMs, callLoad(load, context), () => {
        const error = this.#timeout()
        controller.abort(error)
        throw error
      })
      counters.loads.ok.inc()
      return keepLoaded(this.#core, { key, value, tags: [...tags], begun, asked, isSkipped }, this.#lease)
    } catch (error) {
      counters.loads[cacheErrors.CACHE_LOAD_TIMEOUT.matches(error) ? 'timeout' : 'error'].inc()
      this.#lease?.release(false)
      throw error
    }
  }

  #timeout() {
    const { settings, name } = this.#core
    return cacheErrors.CACHE_LOAD_TIMEOUT({ details: { namespace: name, limit_ms: settings.hardTimeoutMs } })
  }
}

async function callLoad<T>(load: Load<T>, context: LoadContext): Promise<T> {
  return await load(context)
}
