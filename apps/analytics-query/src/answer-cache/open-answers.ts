import { once } from 'node:events'
import { type Cache, createCache, createCacheMetrics } from '@millrace/cache'
import { CHANNELS, DAY_MS, lateCursorKey, MINUTE_MS, popularQueriesKey } from '@millrace/contracts'
import { openDatabase } from '@millrace/database'
import { openRedis, type RedisConnection, requireUsableRedis } from '@millrace/redis'
import type { Lifecycle } from '@millrace/service'
import { createRedisMetrics } from '@millrace/telemetry'
import type { Config } from '../config.js'
import { AnswerInvalidator } from '../invalidation/answer-invalidator.js'
import { EdgePurge } from '../invalidation/edge-purge.js'
import { LateEventReader } from '../invalidation/late-event-reader.js'
import { AnswerCache } from './answer-cache.js'
import type { Answers } from './answers.js'
import { createHttpPolicy } from './http-policy.js'
import { PopularQueries } from './popular-queries.js'
import { WatermarkWait } from './watermark-wait.js'

const LOOK_EVERY_MS = 1_000
const REDIS_WAIT_MS = 5_000
const SAVE_POPULAR_MS = MINUTE_MS
/** Longer than the gateway waits for an answer. */
const PURGE_AGAIN_MS = 35_000
/** To be changed whenever answers or their cursors change: versions of this service do not use each other's answers. */
const CACHE_NAME = 'answers-4'

/**
 * Opens the answer cache in memory and Redis, and what invalidates it. Works without Redis, without the edge, and while
 * a database cannot be reached.
 */
export async function openAnswers(config: Config, lifecycle: Lifecycle): Promise<Answers> {
  const redis = await startRedis(config, lifecycle)
  const purge = await startPurge(config, lifecycle)
  const readers = await startFollowers(config, lifecycle)
  const answers: AnswerCache = new AnswerCache(
    {
      closedMs: config.CACHE_CLOSED_DAYS * DAY_MS,
      openMs: config.CACHE_OPEN_MS,
      staleMs: config.CACHE_STALE_MINUTES * MINUTE_MS,
    },
    { cache: await startCache(config, lifecycle, redis), invalidation: () => watch },
  )
  const watermarks = await startWaiting(config, lifecycle, () => watch)
  const watch: AnswerInvalidator = new AnswerInvalidator(
    { everyMs: LOOK_EVERY_MS, cursorKey: lateCursorKey(CACHE_NAME) },
    {
      readers,
      redis,
      logger: lifecycle.logger,
      invalidate: (tags) => answers.invalidate(tags),
      invalidateAll: () => answers.invalidateAll(),
      onInvalidated: (tags) => purge?.purge(tags),
      onRead: () => watermarks.checkWaiters(),
    },
  )
  await lifecycle.start('late event follower', async () => {
    lifecycle.metrics.gauge(
      {
        name: 'millrace_late_events_unseen_seconds',
        help: 'Time since late events were last read from the database; above 5 s, cached answers over closed ranges are marked stale',
        alert: 'above 5',
      },
      (gauge) => gauge.with({}).set(watch.unseenMs / 1000),
    )
    await watch.start()
    return [watch, () => watch.stop()]
  })
  if (redis !== undefined) await startListening(lifecycle, redis, { watch, purge })
  const popular = await startPopular(lifecycle, redis)
  const purgedEdgeS = purge === undefined ? undefined : config.EDGE_MAX_AGE_S
  const http = { maxAgeMs: config.EVENTS_MAX_AGE_DAYS * DAY_MS, purgedEdgeS }
  return { cache: answers, httpPolicyOf: createHttpPolicy(http, { now: Date.now }), popular, watermarks, redis }
}

function startWaiting(
  config: Config,
  { metrics, start }: Lifecycle,
  source: () => AnswerInvalidator,
): Promise<WatermarkWait> {
  return start('watermark wait', () => {
    const watermarks = new WatermarkWait(
      { defaultMs: config.QUERY_WAIT_MS, maxMs: config.QUERY_WAIT_MAX_MS, waitersMax: config.QUERY_WAITING_MAX },
      { source, now: Date.now },
    )
    metrics.gauge(
      {
        name: 'millrace_query_watermark_waiting',
        help: 'Queries that wait until their min_watermark is reached, before they enter the queue',
      },
      (gauge) => gauge.with({}).set(watermarks.waiting),
    )
    return [watermarks, () => watermarks.stop()]
  })
}

/**
 * Every process reads late events from the database itself, so its memory is invalidated without Redis and may be used
 * for any time without it.
 */
function startCache(
  { CACHE_MEMORY_BYTES: memoryBytesMax }: Config,
  { logger, metrics, start }: Lifecycle,
  redis: RedisConnection | undefined,
): Promise<Cache> {
  return start('answer cache', () => {
    const cache = createCache(
      { name: CACHE_NAME, memoryBytesMax, lagMsMax: 30 * DAY_MS, syncEveryMs: LOOK_EVERY_MS },
      { logger, redis, metrics: createCacheMetrics(metrics) },
    )
    return [cache, () => cache.close()]
  })
}

async function startRedis(config: Config, { logger, metrics, start }: Lifecycle): Promise<RedisConnection | undefined> {
  const url = config.CACHE_REDIS_URL?.reveal()
  if (url === undefined) return undefined
  return await start('cache-redis connection', async () => {
    await requireUsableRedis({ url }, 'CACHE_REDIS_URL', logger)
    const redis = await openRedis(
      { url, name: 'cache-redis', isLazy: true },
      { logger, metrics: createRedisMetrics(metrics) },
    )
    // Once Redis is ready, changes since the last stop are applied to it before the first call. Otherwise that happens
    // later.
    if (!redis.isReady) {
      await once(redis.client, 'ready', { signal: AbortSignal.timeout(REDIS_WAIT_MS) }).catch(() => undefined)
    }
    return [redis, () => redis.close()]
  })
}

async function startPurge(config: Config, { logger, start }: Lifecycle): Promise<EdgePurge | undefined> {
  const url = config.EDGE_PURGE_URL
  if (url === undefined) return undefined
  const [name, ...value] = (config.EDGE_PURGE_HEADER?.reveal() ?? '').split(':')
  const header = value.length === 0 ? undefined : ([name as string, value.join(':').trim()] as const)
  return await start('edge purge', () => {
    const purge = new EdgePurge({ url, method: config.EDGE_PURGE_METHOD, header, againMs: PURGE_AGAIN_MS }, { logger })
    return [purge, () => purge.stop()]
  })
}

/**
 * Late events are read on connections of their own, so that queries which occupy all others cannot delay invalidation.
 */
async function startFollowers(config: Config, { logger, start }: Lifecycle): Promise<LateEventReader[]> {
  const urls = [config.DATABASE_URL.reveal(), config.DATABASE_REPLICA_URL?.reveal()].filter((url) => url !== undefined)
  const readers: LateEventReader[] = []
  for (const url of urls) {
    const reader = await start('late event reader', () => {
      const opened = openDatabase(
        { url, connectionLimit: 1, timeoutMs: 2_000, retryAttempts: 1, applicationName: 'analytics-query late events' },
        { logger },
      )
      return [opened, () => opened.close()]
    })
    const group = { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP }
    readers.push(new LateEventReader(group, { reader, monotonicMs: () => performance.now() }))
  }
  return readers
}

/** Messages only speed up invalidation; a lost one does no harm. */
async function startListening(
  { start }: Lifecycle,
  redis: RedisConnection,
  { watch, purge }: { watch: AnswerInvalidator; purge: EdgePurge | undefined },
): Promise<void> {
  await start('late event subscription', () => {
    const subscription = redis.subscribe(
      purge === undefined ? [CHANNELS.lateEvents] : [CHANNELS.lateEvents, CHANNELS.apiKeys],
      (message, channel) => {
        if (channel === CHANNELS.lateEvents) watch.soon()
        else purge?.purge([`key:${message}`])
      },
      { name: 'late-notices', onGap: () => watch.soon() },
    )
    return [undefined, () => subscription.close()]
  })
}

async function startPopular({ every }: Lifecycle, redis: RedisConnection | undefined): Promise<PopularQueries> {
  const popular = new PopularQueries(popularQueriesKey(CACHE_NAME), Date.now)
  if (redis === undefined) return popular
  const save = async () => redis.isReady && (await popular.save(redis))
  await every('popular queries', SAVE_POPULAR_MS, save, { runsAtStart: false, runsAtEnd: true })
  return popular
}
