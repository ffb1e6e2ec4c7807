import type { Hit, Load, ReadOptions } from './cache-types.js'
import { withLimit } from './clock.js'
import { Flight } from './flight.js'
import type { MemoryEntry } from './memory-tier.js'
import { type Freshness, freshnessOf, type NamespaceCore, toHit } from './namespace-core.js'

/** Pause after the start of a refresh, or after a failed one. */
const refreshPauseMs = 1_000
/** A value with this many reads since its load is refreshed before it expires. */
const popularHits = 3

/** One read. A load may satisfy it if the load began after `order`, or if nothing it depends on was invalidated up to `asOf`. */
interface Call<T> {
  readonly key: string
  readonly load: Load<T>
  readonly read: ReadOptions<T>
  readonly order: number
  readonly asOf: number
  readonly isFresh: boolean
}

/** Reads that need more than a fresh value in memory: loads, stale values, strict reads, invalidations during a load. */
export class ReadThrough<T> {
  readonly #core: NamespaceCore<T>
  readonly #flights = new Map<string, Flight<T>>()
  /** Numbers calls and flights in the order in which they begin. */
  #order = 0

  constructor(core: NamespaceCore<T>) {
    this.#core = core
  }

  async read(key: string, load: Load<T>, read: ReadOptions<T>): Promise<Hit<T>> {
    const call = await this.#begin(key, load, read)
    const held = call.isFresh ? undefined : this.#find(call)
    this.#core.counters.memory[held === undefined ? 'miss' : held.quality === 'fresh' ? 'hit' : 'stale'].inc()
    if (held?.quality === 'fresh') return toHit(held.entry, 'memory', held.nowMs)
    const isPaused = held !== undefined && held.nowMs < held.entry.refreshAtMs && !this.#flights.has(key)
    if (isPaused) return toHit(held.entry, 'memory', held.nowMs, true)
    const flight = this.#join(call, { after: call.isFresh ? call.order : 0, isForced: call.isFresh })
    const stale = call.isFresh ? undefined : await this.#staleAtSoftTimeout(call, flight)
    if (stale !== undefined) return stale
    try {
      return await this.#awaitResult(call, flight)
    } catch (error) {
      const last = call.isFresh ? undefined : this.#valueAfterFailure(call)
      if (last === undefined) throw error
      return last
    }
  }

  /** Refreshes a value that is read often before it expires. */
  refreshAhead(entry: MemoryEntry<T>, load: Load<T>, read: ReadOptions<T>, nowMs: number): void {
    if (entry.hits < popularHits || this.#flights.has(entry.key)) return
    entry.refreshAtMs = nowMs + refreshPauseMs
    // Another process may have refreshed it already: a value in Redis with a slightly longer remaining lifetime is enough.
    this.#start(entry.key, load, read, (entry.bornAtMs + entry.ttlMs - nowMs) * 1.05)
  }

  async #begin(key: string, load: Load<T>, read: ReadOptions<T>): Promise<Call<T>> {
    const { settings, shared, generations } = this.#core
    const order = ++this.#order
    let isFresh = read.isFresh === true
    if (!isFresh && shared !== undefined && (read.isStrict ?? settings.isStrict)) {
      // Without Redis no cached value can be confirmed.
      isFresh = !(await shared.sync.catchUp())
    }
    return { key, load, read, order, asOf: generations.sequence, isFresh }
  }

  #find({ key, read }: Call<T>, allowed: readonly Freshness[] = ['fresh', 'stale']) {
    const entry = this.#core.memory.find(key)
    if (entry === undefined) return undefined
    const nowMs = this.#core.clock.monotonicMs()
    const quality = freshnessOf(this.#core, entry, nowMs)
    if (!allowed.includes(quality) || read.accept?.(entry.value) === false) return undefined
    return { entry, quality, nowMs }
  }

  /** Returns a stale value from memory or Redis, if there is one and the soft time-out passes before the load ends. */
  async #staleAtSoftTimeout(call: Call<T>, flight: Flight<T>): Promise<Hit<T> | undefined> {
    const { clock, settings } = this.#core
    if (this.#find(call, ['stale']) === undefined) await flight.remoteRead
    if (this.#find(call, ['stale']) === undefined) return undefined
    const softTimeoutMs = call.read.softTimeoutMs ?? settings.softTimeoutMs
    if (softTimeoutMs > 0) {
      const settled = flight.result.then(
        () => true,
        () => true,
      )
      if (await withLimit(clock, softTimeoutMs, settled, () => false)) return undefined
    }
    const held = this.#find(call, ['stale'])
    return held === undefined ? undefined : toHit(held.entry, 'memory', held.nowMs, true)
  }

  /** Waits for the flight. Starts another one if its value was invalidated before the call or is not accepted by the caller. */
  async #awaitResult(call: Call<T>, joined: Flight<T>): Promise<Hit<T>> {
    const { generations, clock } = this.#core
    let flight = joined
    let result = await flight.result
    const { key, tags, asOf } = result.entry
    const isInTime = flight.order > call.order || asOf >= call.asOf || generations.isCurrent(key, tags, asOf)
    if (!isInTime) {
      flight = this.#join(call, { after: call.order, isForced: call.isFresh })
      result = await flight.result
    }
    const isLoadedSince = result.source === 'source' && flight.order > call.order
    if (!isLoadedSince && call.read.accept?.(result.entry.value) === false) {
      result = await this.#join(call, { after: ++this.#order, isForced: true }).result
    }
    return toHit(result.entry, result.source, clock.monotonicMs())
  }

  /** The value to return when a load failed; never one that is known to be invalidated. */
  #valueAfterFailure(call: Call<T>): Hit<T> | undefined {
    const { settings } = this.#core
    const held = this.#find(
      call,
      settings.allowsUnconfirmedOnError ? ['fresh', 'stale', 'unconfirmed'] : ['fresh', 'stale'],
    )
    return held === undefined ? undefined : toHit(held.entry, 'memory', held.nowMs, held.quality !== 'fresh')
  }

  #join(call: Call<T>, { after, isForced }: { readonly after: number; readonly isForced: boolean }): Flight<T> {
    const running = this.#flights.get(call.key)
    if (running !== undefined) {
      const isEnough = running.order > after && (!isForced || running.isForced)
      if (isEnough && running.isCurrent) return running
      // It continues for its waiting callers.
      running.releaseLease()
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
