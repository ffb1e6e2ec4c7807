import { LRUCache } from 'lru-cache'
import type { Generations } from './generations.js'

/** One value in memory. Times are in ms of the monotonic clock. */
export interface MemoryEntry<T> {
  readonly value: T
  readonly tags: readonly string[]
  /** The sequence of the local generations when its load, or its read from Redis, began. */
  readonly asOf: number
  /** When its load began: the age counts from here. */
  readonly bornAtMs: number
  /** When this process last knew that it was current: the start of its load here or of its read from Redis. */
  readonly confirmedAtMs: number
  /** When its load began, ms since 1970. */
  readonly storedAt: number
  readonly ttlMs: number
  readonly staleMs: number
  readonly bytes: number
  readonly key: string
  /** The sequence of the generations up to which it is known to be current. */
  checkedAt: number
  hits: number
  hitsRemembered: number
  /** It is not refreshed before this time. */
  refreshAtMs: number
}

/** The memory limit of all namespaces together. */
export interface MemoryBudget {
  readonly bytesMax: number
  readonly tiers: Set<Evictable>
}

interface Evictable {
  readonly bytes: number
  evictOne(): void
}

/** Approximate bytes of the objects around a value. */
const overheadBytes = 256

/** The entries of a namespace in the memory of this process, the least recently used ones evicted first. */
export class MemoryTier<T> implements Evictable {
  readonly #lru: LRUCache<string, MemoryEntry<T>>
  readonly #generations: Generations
  readonly #budget: MemoryBudget
  readonly #evicted: () => void

  constructor(
    bytesMax: number,
    deps: { readonly generations: Generations; readonly budget: MemoryBudget; readonly evicted: () => void },
  ) {
    this.#generations = deps.generations
    this.#budget = deps.budget
    this.#evicted = deps.evicted
    this.#lru = new LRUCache({
      maxSize: Math.min(bytesMax, deps.budget.bytesMax),
      sizeCalculation: (entry) => entry.bytes,
      dispose: (_entry, _key, reason) => {
        if (reason === 'evict') this.#evicted()
      },
    })
    this.#budget.tiers.add(this)
  }

  get bytes(): number {
    return this.#lru.calculatedSize
  }

  get entries(): number {
    return this.#lru.size
  }

  /** The entry, unless its key or a tag was invalidated. The caller checks whether it is fresh enough. */
  find(key: string): MemoryEntry<T> | undefined {
    const entry = this.#lru.get(key)
    if (entry === undefined) return undefined
    const { sequence } = this.#generations
    if (entry.checkedAt === sequence) return entry
    if (!this.#generations.isCurrent(key, entry.tags, entry.asOf)) {
      this.#lru.delete(key)
      return undefined
    }
    entry.checkedAt = sequence
    return entry
  }

  /** Keeps the entry unless its key or a tag was invalidated since `asOf` or it is larger than the limit. Returns whether the key is cached now. */
  keep(entry: MemoryEntry<T>): boolean {
    if (!this.#generations.isCurrent(entry.key, entry.tags, entry.asOf)) return false
    const held = this.find(entry.key)
    if (held !== undefined && held.bornAtMs > entry.bornAtMs) return true
    this.#lru.set(entry.key, entry)
    this.#fitBudget()
    return this.#lru.has(entry.key)
  }

  delete(key: string): void {
    this.#lru.delete(key)
  }

  values(): Iterable<MemoryEntry<T>> {
    return this.#lru.values()
  }

  clear(): void {
    this.#lru.clear()
  }

  evictOne(): void {
    this.#lru.pop()
  }

  /** While the common limit is exceeded, the fullest namespace evicts its least recently used entry. */
  #fitBudget(): void {
    const { tiers, bytesMax } = this.#budget
    let total = 0
    for (const tier of tiers) total += tier.bytes
    while (total > bytesMax) {
      const fullest = [...tiers].reduce((most, tier) => (tier.bytes > most.bytes ? tier : most))
      const before = fullest.bytes
      fullest.evictOne()
      if (fullest.bytes === before) return
      total -= before - fullest.bytes
    }
  }
}

/** The size of an entry in memory, computed from its encoded form. */
export function sizeOfEntry(encodedBytes: number, key: string, tags: readonly string[]): number {
  let bytes = encodedBytes + key.length * 2 + overheadBytes
  for (const tag of tags) bytes += tag.length + 16
  return bytes
}
