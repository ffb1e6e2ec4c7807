// What is measured of one contestant. Times are in microseconds unless the name says otherwise.
import { setTimeout as delay } from 'node:timers/promises'
import type { OpenCache } from './contestants.js'

const KEYS = 1_000
export const TAGS = ['tenant:default', 'event:Flight', 'day:2026-11-01']
/** About 1.2 kB of JSON, like an answer of 24 points. */
const answerOf = (index: number) => ({
  data: Array.from({ length: 24 }, (_, hour) => ({
    time: `2026-11-01T${String(hour).padStart(2, '0')}:00:00Z`,
    value: index * hour,
  })),
  meta: { source: 'rollup', watermark: '2026-11-02T00:00:00Z', index },
})
const keyOf = (run: number, index: number) =>
  `${run}:timeseries:{"event":"Flight","from":"2026-11-01","to":"2026-11-02","n":${index}}`
const microseconds = (start: number) => (performance.now() - start) * 1_000
const percentile = (values: number[], share: number) =>
  values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN
const neverLoads = (): never => {
  throw new Error('the key is not cached')
}
let runs = 0

/** Reads keys that are in memory, one after the other. */
export async function memoryHit(open: OpenCache, { tags, ms }: { tags?: readonly string[]; ms: number }) {
  const cache = await open({ hasTags: tags !== undefined })
  const run = ++runs
  const keys = Array.from({ length: KEYS }, (_, index) => keyOf(run, index))
  for (const [index, key] of keys.entries()) await cache.get(key, () => answerOf(index), tags)
  const read = async (forMs: number) => {
    const start = performance.now()
    let count = 0
    while (performance.now() - start < forMs) {
      for (const key of keys) await cache.get(key, neverLoads)
      count += KEYS
    }
    return microseconds(start) / count
  }
  await read(ms / 4)
  const us = await read(ms)
  let peekUs: number | undefined
  if (cache.peek !== undefined) {
    const start = performance.now()
    for (let round = 0; round < 1_000; round++) for (const key of keys) cache.peek(key)
    peekUs = microseconds(start) / KEYS / 1_000
  }
  await cache.close()
  return { us, peekUs }
}

/** The part of a Redis client that the comparison needs. */
interface BareClient {
  get(key: string): Promise<unknown>
  set(key: string, value: string): Promise<unknown>
}

/** First reads of a second instance; after each, a bare GET of the same bytes over a connection of the same kind. */
export async function redisHit(open: OpenCache, { client, count }: { client: BareClient; count: number }) {
  const [first, second] = [await open(), await open()]
  const run = ++runs
  const hits: number[] = []
  const gets: number[] = []
  for (let index = -count / 4; index < count; index++) {
    const key = keyOf(run, index)
    const load = () => answerOf(index)
    await first.get(key, load, TAGS)
    await client.set(key, JSON.stringify(load()))
    let wasLoaded = false
    let start = performance.now()
    await second.get(
      key,
      () => {
        wasLoaded = true
        return load()
      },
      TAGS,
    )
    const hit = microseconds(start)
    start = performance.now()
    await client.get(key)
    const get = microseconds(start)
    if (wasLoaded || index < 0) continue
    hits.push(hit)
    gets.push(get)
  }
  await first.close()
  await second.close()
  return { us: percentile(hits, 0.5), p99Us: percentile(hits, 0.99), getUs: percentile(gets, 0.5), hits: hits.length }
}

export async function miss(open: OpenCache, { count }: { count: number }) {
  const cache = await open()
  const run = ++runs
  const times: number[] = []
  for (let index = 0; index < count; index++) {
    const start = performance.now()
    await cache.get(keyOf(run, index), () => answerOf(index), TAGS)
    times.push(microseconds(start))
  }
  await cache.close()
  return { us: percentile(times, 0.5) }
}

/** The time of one invalidation, and how long after it another instance still gives the old value (Infinity: longer than 2 s). */
export async function invalidation(open: OpenCache, { count }: { count: number }) {
  const [writer, reader] = [await open(), await open()]
  const run = ++runs
  const times: number[] = []
  const lags: number[] = []
  for (let index = 0; index < count; index++) {
    let version = 1
    const key = keyOf(run, index)
    const tag = `tag:${run}:${index}`
    const load = () => ({ version })
    await writer.get(key, load, [tag])
    await reader.get(key, load, [tag])
    version = 2
    const start = performance.now()
    await writer.invalidate(tag)
    times.push(microseconds(start))
    const done = performance.now()
    let seen = await reader.get(key, load, [tag])
    while (seen.version === 1 && performance.now() - done < 2_000) {
      await delay(0)
      seen = await reader.get(key, load, [tag])
    }
    lags.push(seen.version === 1 ? Number.POSITIVE_INFINITY : performance.now() - done)
  }
  await writer.close()
  await reader.close()
  return { us: percentile(times, 0.5), lagMs: percentile(lags, 0.5) }
}

/** Two instances, 1,000 callers each, one key that takes 50 ms to load. */
export async function stampede(open: OpenCache) {
  const caches = [await open(), await open()]
  let loads = 0
  const load = async () => {
    loads++
    await delay(50)
    return answerOf(1)
  }
  const key = keyOf(++runs, 0)
  const start = performance.now()
  await Promise.all(caches.flatMap((cache) => Array.from({ length: 1_000 }, () => cache.get(key, load, TAGS))))
  const ms = performance.now() - start
  for (const cache of caches) await cache.close()
  return { loads, ms }
}

/** A write and its invalidation while a loader that has read the old state is in flight: does a later read give the old value? */
export async function staleAfterWrite(open: OpenCache, { count }: { count: number }) {
  const cache = await open()
  const run = ++runs
  let stale = 0
  for (let index = 0; index < count; index++) {
    let version = 1
    const key = keyOf(run, index)
    const tag = `tag:${run}:${index}`
    const gate = createGate()
    const isCalled = createGate()
    const slow = async () => {
      const seen = version
      isCalled.open()
      await gate.opened
      return { version: seen }
    }
    const early = cache.get(key, slow, [tag])
    await isCalled.opened
    version = 2
    await cache.invalidate(tag)
    await delay(2)
    gate.open()
    await early
    await delay(2)
    const later = await cache.get(key, () => ({ version }), [tag])
    if (later.version === 1) stale++
  }
  await cache.close()
  return { stale }
}

function createGate(): { opened: Promise<void>; open(): void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
