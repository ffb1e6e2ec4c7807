import type { Hit, Load, ReadOptions } from './cache-types.js'
import { withLimit } from './clock.js'
import { Flight } from './flight.js'
import type { MemoryEntry } from './memory-tier.js'
import { type Held, judge, type NamespaceCore, toHit } from './namespace-core.js'

/** After a refresh was begun, or failed, the next one waits so long. */
const refreshPauseMs = 1_000
/** Reads since loading that make a value worth refreshing ahead. */
const popularHits = 3

/** One call of a reader. What began after its `order`, or is current as of `asOf`, may answer it. */
interface Call<T> {
  readonly key: string
  readonly load: Load<T>
  readonly read: ReadOptions<T>
  readonly order: number
  readonly asOf: number
  readonly isFresh: boolean
}

/** Everything of a read that memory alone cannot answer: flights, stale values, strictness, invalidations meanwhile. */
export class ReadThrough<T> {
  readonly #core: NamespaceCore<T>
  readonly #flights = new Map<string, Flight<T>>()
  /** Calls and flights in the order in which they began. */
  #order = 0

  constructor(core: NamespaceCore<T>) {
    this.#core = core
  }

  async read(key: string, load: Load<T>, read: ReadOptions<T>): Promise<Hit<T>> {
    const call = await this.#arrive(key, load, read)
    const held = call.isFresh ? undefined : this.#find(call)
    this.#core.counters.memory[held === undefined ? 'miss' : held.quality === 'fresh' ? 'hit' : 'stale'].inc()
    if (held?.quality === 'fresh') return toHit(held.entry, 'memory', held.nowMs)
    const isPaused = held !== undefined && held.nowMs < held.entry.refreshAtMs && !this.#flights.has(key)
    if (isPaused) return toHit(held.entry, 'memory', held.nowMs, true)
    const flight = this.#join(call, { after: call.isFresh ? call.order : 0, isForced: call.isFresh })
    const stale = call.isFresh ? undefined : await this.#staleInstead(call, flight)
    if (stale !== undefined) return stale
    try {
      return await this.#land(call, flight)
    } catch (error) {
      const last = call.isFresh ? undefined : this.#lastGood(call)
      if (last === undefined) throw error
      return last
    }
  }

  /** Loads a value that is read often again before it expires. */
  refreshAhead(entry: MemoryEntry<T>, load: Load<T>, read: ReadOptions<T>, nowMs: number): void {
    if (entry.hits < popularHits || this.#flights.has(entry.key)) return
    entry.refreshAtMs = nowMs + refreshPauseMs
    // Another process may have refreshed it already: whatever outlives this value by a little will do.
    this.#start(entry.key, load, read, (entry.bornAtMs + entry.ttlMs - nowMs) * 1.05)
  }

  async #arrive(key: string, load: Load<T>, read: ReadOptions<T>): Promise<Call<T>> {
    const { settings, shared, generations } = this.#core
    const order = ++this.#order
    let isFresh = read.isFresh === true
    if (!isFresh && shared !== undefined && (read.isStrict ?? settings.isStrict)) {
      // Without Redis nothing that was kept can be confirmed.
      isFresh = !(await shared.sync.catchUp())
    }
    return { key, load, read, order, asOf: generations.sequence, isFresh }
  }

  #find({ key, read }: Call<T>, allowed: readonly Held[] = ['fresh', 'stale']) {
    const entry = this.#core.memory.find(key)
    if (entry === undefined) return undefined
    const nowMs = this.#core.clock.monotonicMs()
    const quality = judge(this.#core, entry, nowMs)
    if (!allowed.includes(quality) || read.accept?.(entry.value) === false) return undefined
    return { entry, quality, nowMs }
  }

  /** A stale value of memory or Redis, if there is one and the soft time-out is over before the flight. */
  async #staleInstead(call: Call<T>, flight: Flight<T>): Promise<Hit<T> | undefined> {
    const { clock, settings } = this.#core
    if (this.#find(call, ['stale']) === undefined) await flight.asked
    if (this.#find(call, ['stale']) === undefined) return undefined
    const softTimeoutMs = call.read.softTimeoutMs ?? settings.softTimeoutMs
    if (softTimeoutMs > 0) {
      const landed = flight.result.then(
        () => true,
        () => true,
      )
      if (await withLimit(clock, softTimeoutMs, landed, () => false)) return undefined
    }
    const held = this.#find(call, ['stale'])
    return held === undefined ? undefined : toHit(held.entry, 'memory', held.nowMs, true)
  }

  /** Waits for the flight; another one is needed when what this one brought was invalidated before the call, or is not accepted. */
  async #land(call: Call<T>, joined: Flight<T>): Promise<Hit<T>> {
    const { generations, clock } = this.#core
    let flight = joined
    let landed = await flight.result
    const { key, tags, asOf } = landed.entry
    const isInTime = flight.order > call.order || asOf >= call.asOf || generations.isCurrent(key, tags, asOf)
    if (!isInTime) {
      flight = this.#join(call, { after: call.order, isForced: call.isFresh })
      landed = await flight.result
    }
    const isLoadedSince = landed.source === 'source' && flight.order > call.order
    if (!isLoadedSince && call.read.accept?.(landed.entry.value) === false) {
      landed = await this.#join(call, { after: ++this.#order, isForced: true }).result
    }
    return toHit(landed.entry, landed.source, clock.monotonicMs())
  }

  /** What is given when loading failed: never what is known to be invalidated. */
  #lastGood(call: Call<T>): Hit<T> | undefined {
    const { settings } = this.#core
    const held = this.#find(
      call,
      settings.givesUnconfirmedOnError ? ['fresh', 'stale', 'unconfirmed'] : ['fresh', 'stale'],
    )
    return held === undefined ? undefined : toHit(held.entry, 'memory', held.nowMs, held.quality !== 'fresh')
  }

  #join(call: Call<T>, { after, isForced }: { readonly after: number; readonly isForced: boolean }): Flight<T> {
    const running = this.#flights.get(call.key)
    if (running !== undefined) {
      const isEnough = running.order > after && (!isForced || running.isForced)
      if (isEnough && running.isCurrent) return running
      // It goes on for those who wait for it already.
      running.giveUpLease()
    }
    return this.#start(call.key, call.load, call.read, isForced ? Number.POSITIVE_INFINITY : 0)
  }

  #start(key: string, load: Load<T>, read: ReadOptions<T>, neededMs: number): Flight<T> {
    const { clock, memory } = this.#core
    const flight = new Flight(this.#core, { key, load, read, neededMs, order: ++this.#order })
    this.#flights.set(key, flight)
    const end = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key)
    }
    flight.result.then(end, () => {
      end()
      const held = memory.find(key)
      if (held !== undefined) held.refreshAtMs = Math.max(held.refreshAtMs, clock.monotonicMs() + refreshPauseMs)
    })
    return flight
  }
}
