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

/** One load that concurrent callers share. */
export interface FlightOptions<T> {
  readonly key: string
  readonly load: Load<T>
  readonly read: ReadOptions<T>
  /** A value in Redis is used only if its remaining lifetime is longer than this, in ms; Infinity: it is loaded in any case. */
  readonly neededMs: number
  /** Calls and flights of a namespace are numbered in the order in which they begin. */
  readonly order: number
}

/** The entry that a load gave, and where it came from. */
export interface FlightResult<T> {
  readonly entry: MemoryEntry<T>
  readonly source: 'redis' | 'source'
}

/** Gets one key for all concurrent callers: reads Redis, waits while another process loads or takes the lease, loads, keeps the value. */
export class Flight<T> {
  readonly order: number
  /** Whether the value is loaded even if Redis has one. */
  readonly isForced: boolean
  /** Resolves when Redis was read; a stale value from it is in memory then. Never rejects. */
  readonly remoteRead: Promise<void>
  readonly result: Promise<FlightResult<T>>
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
    let resolveRemoteRead: () => void = () => undefined
    this.remoteRead = new Promise((resolve) => {
      resolveRemoteRead = resolve
    })
    this.result = this.#run(resolveRemoteRead).finally(resolveRemoteRead)
    // A caller that got a stale value does not wait for the result.
    this.result.catch(() => undefined)
  }

  /** False when an invalidation since its start makes its value outdated for a caller that begins now. */
  get isCurrent(): boolean {
    return this.#core.generations.isCurrent(this.#options.key, this.#options.read.tags ?? [], this.#startedAs)
  }

  /** Lets another flight load at once. The value of this one goes to its waiting callers and at most into memory. */
  releaseLease(): void {
    this.#lease?.release(false)
  }

  async #run(noteRemoteRead: () => void): Promise<FlightResult<T>> {
    const found = await this.#readRemote(noteRemoteRead)
    return found === undefined ? { entry: await this.#load(), source: 'source' } : { entry: found, source: 'redis' }
  }

  async #readRemote(noteRemoteRead: () => void): Promise<MemoryEntry<T> | undefined> {
    const { key } = this.#options
    let { neededMs } = this.#options
    if (this.#core.shared === undefined || !this.#core.settings.isShared) return undefined
    const claim = { token: randomUUID(), leaseMs: this.#core.leaseMs }
    for (let waitMs = waitMsMin; ; waitMs = Math.min(waitMs * 2, waitMsMax)) {
      const answer = await readRemote(this.#core, key, { lease: claim, neededMs })
      noteRemoteRead()
      if (answer === undefined) return undefined
      if (answer.quality === 'fresh' && answer.entry !== undefined) return answer.entry
      if (answer.lease === 'leased')
        this.#lease = holdLease(this.#core, key, {
          token: claim.token,
          position: answer.position,
          grantedAtMs: answer.atMs,
        })
      if (answer.lease === 'leased' || answer.lease === 'open') return undefined
      // There is a value that cannot be decoded: do not use it in the next round.
      if (answer.lease === 'not_requested') neededMs = Number.POSITIVE_INFINITY
      if (this.#core.clock.monotonicMs() >= this.#deadlineMs) throw this.#timeout()
      await sleep(this.#core.clock, waitMs * (0.5 + this.#core.random() / 2))
    }
  }

  async #load(): Promise<MemoryEntry<T>> {
    const { clock, counters, generations } = this.#core
    const { key, load, read } = this.#options
    const begun = { asOf: generations.sequence, atMs: clock.monotonicMs(), wallMs: clock.wallMs() }
    const tags = new Set(read.tags)
    let requested: Pick<ReadOptions<T>, 'ttlMs' | 'staleMs'> = read
    let isSkipped = false
    const controller = new AbortController()
    const context: LoadContext = {
      key,
      signal: controller.signal,
      tag: (...more) => {
        for (const tag of more) tags.add(tag)
      },
      expire: (ttlMs, staleMs) => {
        requested = { ttlMs, ...(staleMs === undefined ? {} : { staleMs }) }
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
      return keepLoaded(this.#core, { key, value, tags: [...tags], begun, requested, isSkipped }, this.#lease)
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
