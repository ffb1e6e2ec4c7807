import type { Hit, Invalidation, Load, Namespace, ReadOptions, WarmEntry } from './cache-types.js'
import type { Names } from './generations.js'
import { parseGlob } from './glob.js'
import { freshnessOf, type NamespaceCore, toHit } from './namespace-core.js'
import { ReadThrough } from './read-through.js'
import { readRemote } from './remote-reader.js'
import type { CacheStats } from './tier-stats.js'
import { writeValue } from './write-value.js'

const noOptions = {}

/** The implementation of `Namespace` over memory and, if there is one, Redis. */
export class CacheNamespace<T> implements Namespace<T> {
  readonly name: string
  readonly #core: NamespaceCore<T>
  readonly #through: ReadThrough<T>

  constructor(core: NamespaceCore<T>) {
    this.name = core.name
    this.#core = core
    this.#through = new ReadThrough(core)
  }

  peek(key: string): Hit<T> | undefined {
    if (this.#core.settings.isStrict) return undefined
    return this.#fresh(key, noOptions)
  }

  async get(key: string, options: ReadOptions<T> = noOptions): Promise<Hit<T> | undefined> {
    const { counters, clock, shared, settings } = this.#core
    const isStrict = shared !== undefined && (options.isStrict ?? settings.isStrict)
    const isConfirmed = !isStrict || (await shared.sync.catchUp())
    const held = isConfirmed ? this.#fresh(key, options) : undefined
    if (held !== undefined) return held
    counters.memory.miss.inc()
    const answer = await readRemote(this.#core, key, { neededMs: 0 })
    if (answer?.quality !== 'fresh' || answer.entry === undefined) return undefined
    return options.accept?.(answer.entry.value) === false
      ? undefined
      : toHit(answer.entry, 'redis', clock.monotonicMs())
  }

  getOrSet(key: string, load: Load<T>, options: ReadOptions<T> = noOptions): Promise<Hit<T>> {
    const { settings, memory, clock, counters } = this.#core
    if ((options.isStrict ?? settings.isStrict) || options.isFresh === true)
      return this.#through.read(key, load, options)
    const entry = memory.find(key)
    if (entry === undefined) return this.#through.read(key, load, options)
    const nowMs = clock.monotonicMs()
    if (freshnessOf(this.#core, entry, nowMs) !== 'fresh' || options.accept?.(entry.value) === false) {
      return this.#through.read(key, load, options)
    }
    counters.memory.hit.inc()
    entry.hits++
    if (nowMs >= entry.refreshAtMs) this.#through.refreshAhead(entry, load, options, nowMs)
    return Promise.resolve(toHit(entry, 'memory', nowMs))
  }

  set(
    key: string,
    value: T,
    options: Pick<ReadOptions<T>, 'tags' | 'ttlMs' | 'staleMs'> = noOptions,
  ): Promise<Invalidation> {
    this.#core.counters.invalidations.inc()
    return writeValue(this.#core, key, value, options)
  }

  delete(...keys: readonly string[]): Promise<Invalidation> {
    return this.#invalidate({ keys })
  }

  invalidateTags(tags: readonly string[]): Promise<Invalidation> {
    return this.#invalidate({ tags })
  }

  async invalidatePattern(glob: string): Promise<Invalidation> {
    return await this.#invalidate({ globs: [parseGlob(glob)] })
  }

  invalidateAll(): Promise<Invalidation> {
    return this.#invalidate({ isEverything: true })
  }

  async warm(entries: Iterable<WarmEntry<T>>, concurrency = 4): Promise<number> {
    const { logger } = this.#core
    const queue = entries[Symbol.iterator]()
    let count = 0
    const work = async () => {
      for (let next = queue.next(); next.done !== true; next = queue.next()) {
        const { key, load, options } = next.value
        try {
          await this.getOrSet(key, load, options)
          count++
        } catch (error) {
          logger.warn('a value could not be loaded to warm the cache', { namespace: this.name, error })
        }
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    return count
  }

  async popularKeys(limit = 64): Promise<string[]> {
    const { shared, logger } = this.#core
    try {
      return (await shared?.remote.popular(limit)) ?? []
    } catch (error) {
      logger.debug('the popular keys could not be read from redis', { namespace: this.name, error })
      return []
    }
  }

  stats(): CacheStats {
    return this.#core.counters.toStats(this.#core.memory)
  }

  #fresh(key: string, { accept }: ReadOptions<T>): Hit<T> | undefined {
    const { memory, clock, counters } = this.#core
    const entry = memory.find(key)
    if (entry === undefined) return undefined
    const nowMs = clock.monotonicMs()
    if (freshnessOf(this.#core, entry, nowMs) !== 'fresh' || accept?.(entry.value) === false) return undefined
    counters.memory.hit.inc()
    entry.hits++
    return toHit(entry, 'memory', nowMs)
  }

  async #invalidate(names: Names): Promise<Invalidation> {
    const { counters, shared, generations } = this.#core
    counters.invalidations.inc()
    if (shared !== undefined) return { reach: (await shared.sync.invalidate(names)) ? 'everywhere' : 'process' }
    generations.bump(names)
    return { reach: 'everywhere' }
  }
}
