// What is measured of one contestant. Times in microseconds unless the name says otherwise.
import { setTimeout as delay } from 'node:timers/promises'

const KEYS = 1_000
const TAGS = ['tenant:default', 'event:Flight', 'day:2026-11-01']
/** About 1.2 kB of JSON, as an answer of 24 points is. */
export const answerOf = (index) => ({
  data: Array.from({ length: 24 }, (_, hour) => ({
    time: `2026-11-01T${String(hour).padStart(2, '0')}:00:00Z`,
    value: index * hour,
  })),
  meta: { source: 'rollup', watermark: '2026-11-02T00:00:00Z', index },
})
const keyOf = (run, index) => `${run}:timeseries:{"event":"Flight","from":"2026-11-01","to":"2026-11-02","n":${index}}`
const microseconds = (start) => (performance.now() - start) * 1_000
const percentile = (values, share) => values.sort((a, b) => a - b)[Math.floor((values.length - 1) * share)]
let runs = 0

/** One read after the other of keys that are in memory. */
export async function memoryHit(open, { tags, ms }) {
  const cache = await open({ hasTags: tags !== undefined })
  const run = ++runs
  const keys = Array.from({ length: KEYS }, (_, index) => keyOf(run, index))
  for (const [index, key] of keys.entries()) await cache.get(key, () => answerOf(index), tags)
  const read = async (forMs) => {
    const start = performance.now()
    let count = 0
    while (performance.now() - start < forMs) {
      for (let index = 0; index < KEYS; index++) await cache.get(keys[index])
      count += KEYS
    }
    return microseconds(start) / count
  }
  await read(ms / 4)
  const us = await read(ms)
  let peekUs
  if (cache.peek !== undefined) {
    const start = performance.now()
    for (let round = 0; round < 1_000; round++) for (const key of keys) cache.peek(key)
    peekUs = microseconds(start) / KEYS / 1_000
  }
  await cache.close()
  return { us, peekUs }
}

/** First reads of a second instance; after each, a bare GET of the same bytes over a connection of the same kind. */
export async function redisHit(open, { client, count }) {
  const [first, second] = [await open(), await open()]
  const run = ++runs
  const [hits, gets] = [[], []]
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

export async function miss(open, { count }) {
  const cache = await open()
  const run = ++runs
  const times = []
  for (let index = 0; index < count; index++) {
    const start = performance.now()
    await cache.get(keyOf(run, index), () => answerOf(index), TAGS)
    times.push(microseconds(start))
  }
  await cache.close()
  return { us: percentile(times, 0.5) }
}

/** What one invalidation takes, and how long after it another instance still gives the old value (undefined: longer than 2 s). */
export async function invalidation(open, { count }) {
  const [writer, reader] = [await open(), await open()]
  const run = ++runs
  const [times, lags] = [[], []]
  for (let index = 0; index < count; index++) {
    let version = 1
    const key = keyOf(run, index)
    const tags = [`tag:${run}:${index}`]
    const load = () => ({ version })
    await writer.get(key, load, tags)
    await reader.get(key, load, tags)
    version = 2
    const start = performance.now()
    await writer.invalidate(tags[0])
    times.push(microseconds(start))
    const done = performance.now()
    let seen = await reader.get(key, load, tags)
    while (seen.version === 1 && performance.now() - done < 2_000) {
      await delay(0)
      seen = await reader.get(key, load, tags)
    }
    lags.push(seen.version === 1 ? Number.POSITIVE_INFINITY : performance.now() - done)
  }
  await writer.close()
  await reader.close()
  return { us: percentile(times, 0.5), lagMs: percentile(lags, 0.5) }
}

/** Two instances, 1,000 callers each, one key that takes 50 ms to load. */
export async function stampede(open) {
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
export async function staleAfterWrite(open, { count }) {
  const cache = await open()
  const run = ++runs
  let stale = 0
  for (let index = 0; index < count; index++) {
    let version = 1
    const key = keyOf(run, index)
    const tags = [`tag:${run}:${index}`]
    let release
    const gate = new Promise((resolve) => {
      release = resolve
    })
    let called
    const isCalled = new Promise((resolve) => {
      called = resolve
    })
    const slow = async () => {
      const seen = version
      called()
      await gate
      return { version: seen }
    }
    const early = cache.get(key, slow, tags)
    await isCalled
    version = 2
    await cache.invalidate(tags[0])
    await delay(2)
    release()
    await early
    await delay(2)
    const later = await cache.get(key, () => ({ version }), tags)
    if (later.version === 1) stale++
  }
  await cache.close()
  return { stale }
}

export { TAGS }
