import { unpack } from './codec.js'
import { type MemoryEntry, sizeOfEntry } from './memory-tier.js'
import { type NamespaceCore, refreshMoment } from './namespace-core.js'
import type { Fetched, FetchOptions, LogPosition, RemoteEntry } from './remote-tier.js'

/** What Redis knows of a key. */
export interface RemoteAnswer<T> {
  readonly position: LogPosition
  readonly lease: Fetched['lease']
  readonly quality: Fetched['quality']
  /** When Redis ran the read, by its own clock, in ms. */
  readonly atMs: number
  /** Also in memory now, unless it was invalidated meanwhile. */
  readonly entry?: MemoryEntry<T>
}

/** Reads a value from Redis into memory. Undefined when Redis cannot be reached or its values cannot be trusted now. Never rejects. */
export async function readRemote<T>(
  core: NamespaceCore<T>,
  key: string,
  options: FetchOptions,
): Promise<RemoteAnswer<T> | undefined> {
  if (core.shared === undefined || !core.settings.isShared) return undefined
  const { remote, sync } = core.shared
  await sync.started
  const { era } = sync
  if (era === undefined) return undefined
  const begun = { asOf: core.generations.sequence, sentAtMs: core.clock.monotonicMs() }
  let fetched: Fetched | undefined
  try {
    fetched = await remote.fetch(key, options)
  } catch (error) {
    core.counters.redis.error.inc()
    sync.distrust(error)
    return undefined
  }
  if (fetched === undefined || sync.era !== era || !sync.observe(fetched.position)) {
    handleUnusable(core, key, options, fetched)
    return undefined
  }
  const { position, lease, atMs } = fetched
  core.counters.redis[outcomes[fetched.quality]].inc()
  const entry = await toMemory(core, key, fetched.entry, begun)
  if (entry === undefined) return { position, lease, atMs, quality: 'none' }
  core.memory.keep(entry)
  return { position, lease, atMs, quality: fetched.quality, entry }
}

const outcomes = { fresh: 'hit', stale: 'stale', none: 'miss' } as const

/** The reply is not usable: Redis has no epoch or another one, or the connection was lost meanwhile. A granted lease is released. */
function handleUnusable<T>(
  core: NamespaceCore<T>,
  key: string,
  { lease }: FetchOptions,
  fetched: Fetched | undefined,
): void {
  const { remote, sync } = core.shared ?? {}
  if (fetched === undefined) {
    sync?.distrust()
    void sync?.catchUp()
  } else if (fetched.lease === 'leased' && lease !== undefined && remote !== undefined) {
    core.background(remote.release(key, lease.token, false).catch(() => undefined))
  }
}

/** Undefined when there is no entry or its bytes cannot be decoded. */
async function toMemory<T>(
  core: NamespaceCore<T>,
  key: string,
  entry: RemoteEntry | undefined,
  { asOf, sentAtMs }: { readonly asOf: number; readonly sentAtMs: number },
): Promise<MemoryEntry<T> | undefined> {
  if (entry === undefined) return undefined
  core.counters.redisBytesRead += entry.packed.bytes.length
  let bytes: Buffer
  let value: T
  try {
    bytes = await unpack(entry.packed)
    value = core.settings.codec.decode(bytes)
  } catch (error) {
    core.counters.redis.error.inc()
    core.logger.warn('a cached value in redis cannot be decoded; it is loaded again', { namespace: core.name, error })
    return undefined
  }
  const nowMs = core.clock.monotonicMs()
  // Redis computed the age after the read was sent, so the value is at least that old.
  const bornAtMs = sentAtMs - entry.ageMs
  return {
    key,
    value,
    tags: entry.tags,
    asOf,
    bornAtMs,
    confirmedAtMs: sentAtMs,
    storedAt: Math.round(core.clock.wallMs() - (nowMs - bornAtMs)),
    ttlMs: entry.ttlMs,
    staleMs: entry.staleMs,
    bytes: sizeOfEntry(bytes.length, key, entry.tags),
    checkedAt: asOf,
    hits: 0,
    hitsRemembered: 0,
    refreshAtMs: refreshMoment(bornAtMs, entry.ttlMs, core.settings.refreshAhead),
  }
}
