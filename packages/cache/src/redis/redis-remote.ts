import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cacheKeyPrefix, DAY_MS } from '@millrace/contracts'
import { defineScript, type RedisConnection, type RedisScript, redisErrors, toRedisError } from '@millrace/redis'
import { type Clock, withLimit } from '../clock.js'
import type { Names } from '../generations.js'
import type {
  Fetched,
  FetchOptions,
  LogPosition,
  Missed,
  RemoteEntry,
  RemoteTier,
  StoreClaim,
  WriteClaim,
} from '../remote-tier.js'
import { readNames, writeNames } from './log-names.js'
import type { RedisBus } from './redis-bus.js'

/** Names and limits of a namespace in Redis. */
export interface RedisRemoteOptions {
  readonly cache: string
  readonly namespace: string
  readonly timeoutMs: number
  /** Names in the state; beyond them it forgets all names, and older entries become outdated. Default 131,072. */
  readonly namesMax?: number
  /** Invalidations kept in the log for other processes. Default 10,000. */
  readonly logMax?: number
  /** After a load whose value is not kept, waiting processes may load at the same time for this long, in ms. Default 1,000. */
  readonly openMs?: number
}

/** What the Redis tier works with. */
export interface RedisRemoteDeps {
  readonly redis: RedisConnection
  readonly bus: RedisBus
  readonly clock: Clock
}

const missedMax = 1_000
const popularMax = 256
const popularMs = 7 * DAY_MS

const lua = (name: string) => readFileSync(new URL(`../../src/redis/${name}.lua`, import.meta.url), 'utf8')
const scripts = {
  fetch: defineScript('cache fetch', lua('is-current') + lua('fetch')),
  store: defineScript('cache store', lua('is-current') + lua('store')),
  extend: defineScript('cache extend', lua('extend')),
  release: defineScript('cache release', lua('release')),
  invalidate: defineScript('cache invalidate', lua('invalidate')),
  sync: defineScript('cache sync', lua('sync')),
  remember: defineScript('cache remember', lua('remember')),
}

/** One namespace in Redis. Its keys share a hash tag, so that in a Cluster they are on one node: one script reads an entry and compares its tags. */
export class RedisRemote implements RemoteTier {
  readonly #options: RedisRemoteOptions
  readonly #deps: RedisRemoteDeps
  readonly #prefix: string

  constructor(options: RedisRemoteOptions, deps: RedisRemoteDeps) {
    this.#options = options
    this.#deps = deps
    this.#prefix = cacheKeyPrefix(options.cache, options.namespace)
  }

  get isReady(): boolean {
    return this.#deps.redis.isReady
  }

  async fetch(key: string, { lease, neededMs }: FetchOptions): Promise<Fetched | undefined> {
    const needed = Number.isFinite(neededMs) ? Math.max(0, neededMs) : -1
    const args = [key, needed, lease?.token ?? '', lease?.leaseMs ?? 0]
    const reply = this.#runScript(scripts.fetch, ['state', `entry:${key}`, `lease:${key}`], args)
    try {
      return toFetched((await this.#withTimeout(reply)) as FetchReply | null)
    } catch (error) {
      // If the lease is granted after the time-out, nobody uses it.
      if (lease !== undefined) reply.then(() => this.release(key, lease.token, false)).catch(() => undefined)
      throw toRedisError('fetching a cached value', error)
    }
  }

  async store(key: string, entry: RemoteEntry, claim: StoreClaim): Promise<boolean> {
    const { token, position, grantedAtMs } = claim
    const { tags, ageMs, ttlMs, staleMs, packed } = entry
    const args = [
      key,
      token,
      position.epoch,
      position.sequence,
      ageMs,
      ttlMs,
      staleMs,
      JSON.stringify(tags),
      packed.packing,
      packed.bytes,
      grantedAtMs ?? 0,
    ]
    return (
      (await this.#run('storing a cached value', scripts.store, ['state', `entry:${key}`, `lease:${key}`], args)) === 1
    )
  }

  async extend(key: string, token: string, leaseMs: number): Promise<boolean> {
    return (await this.#run('extending a lease', scripts.extend, [`lease:${key}`], [token, leaseMs])) === 1
  }

  async release(key: string, token: string, isOpen: boolean): Promise<void> {
    await this.#run(
      'releasing a lease',
      scripts.release,
      [`lease:${key}`],
      [token, isOpen ? (this.#options.openMs ?? 1_000) : 0],
    )
  }

  async invalidate(names: Names, claim?: WriteClaim): Promise<LogPosition> {
    const { tags = [], keys = [], globs = [], isEverything = false } = names
    const { namesMax = 131_072, logMax = 10_000, namespace } = this.#options
    const entries = keys.flatMap((key) => [`entry:${key}`, `lease:${key}`])
    const patterns = JSON.stringify(globs.map(({ lua: pattern }) => pattern))
    const args = [
      ...[randomUUID(), namesMax, logMax, this.#deps.bus.channel, namespace, JSON.stringify(tags), patterns],
      ...[isEverything ? 1 : '', writeNames(names)],
      ...(claim === undefined ? [] : [claim.token, claim.leaseMs, claim.position.epoch, claim.position.sequence]),
    ]
    const reply = await this.#run('invalidating cached values', scripts.invalidate, ['state', 'log', ...entries], args)
    const [epoch, sequence] = reply as [Buffer, number]
    return { epoch: epoch.toString(), sequence }
  }

  async sync(since: LogPosition | undefined): Promise<Missed> {
    const args = [randomUUID(), since?.epoch ?? '', since?.sequence ?? 0, missedMax]
    const reply = await this.#run('reading missed invalidations', scripts.sync, ['state', 'log'], args)
    const [kind, epoch, sequence, entries] = reply as [Buffer, Buffer, Buffer, [Buffer, [Buffer, Buffer]][]]
    const position = { epoch: epoch.toString(), sequence: Number(sequence) }
    if (kind.toString() !== 'invalidations') return { kind: kind.toString() === 'same' ? 'same' : 'gap', position }
    const names = entries.map(([id, [, text]]) => ({
      ...readNames(text.toString()),
      sequence: Number.parseInt(id.toString(), 10),
    }))
    return { kind: 'invalidations', position, names }
  }

  async remember(hits: ReadonlyMap<string, number>): Promise<void> {
    const pairs = [...hits].flatMap(([key, reads]) => [reads, key])
    await this.#run('counting popular keys', scripts.remember, ['popular'], [popularMax, popularMs, ...pairs])
  }

  async popular(limit: number): Promise<string[]> {
    const reply = this.#deps.redis.client.zrevrange(`${this.#prefix}popular`, 0, limit - 1)
    return await this.#withTimeout(reply)
  }

  listen(listener: (event: 'hint' | 'lost' | 'ready') => void): () => void {
    return this.#deps.bus.listen(this.#options.namespace, listener)
  }

  async #run(
    action: string,
    script: RedisScript,
    keys: string[],
    args: (string | number | Buffer)[],
  ): Promise<unknown> {
    try {
      return await this.#withTimeout(this.#runScript(script, keys, args))
    } catch (error) {
      throw toRedisError(action, error)
    }
  }

  #runScript(script: RedisScript, keys: string[], args: (string | number | Buffer)[]): Promise<unknown> {
    const named = keys.map((key) => this.#prefix + key)
    return script.runForBuffers(this.#deps.redis.client, named, args)
  }

  #withTimeout<T>(reply: Promise<T>): Promise<T> {
    const { timeoutMs } = this.#options
    return withLimit(this.#deps.clock, timeoutMs, reply, () => {
      throw redisErrors.REDIS_TIMEOUT({ message: `redis did not answer in ${timeoutMs} ms` })
    })
  }
}

type FetchReply = [
  ...[epoch: Buffer, sequence: Buffer, quality: Buffer, lease: Buffer, at: Buffer],
  ...[age: Buffer, ttl: Buffer, stale: Buffer, tags: Buffer, packing: Buffer, payload: Buffer],
]

function toFetched(reply: FetchReply | null): Fetched | undefined {
  if (reply === null) return undefined
  const [epoch, sequence, quality, lease, at, age, ttl, stale, tags, packing, payload] = reply
  const head = {
    position: { epoch: epoch.toString(), sequence: Number(sequence) },
    quality: quality.toString() as Fetched['quality'],
    lease: lease.toString() as Fetched['lease'],
    atMs: Number(at),
  }
  if (head.quality === 'none') return head
  const entry: RemoteEntry = {
    tags: JSON.parse(tags.toString()) as string[],
    ageMs: Number(age),
    ttlMs: Number(ttl),
    staleMs: Number(stale),
    packed: { packing: packing.toString() === 'lz4' ? 'lz4' : 'plain', bytes: payload },
  }
  return { ...head, entry }
}
