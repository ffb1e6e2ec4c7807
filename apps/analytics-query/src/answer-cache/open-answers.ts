import { once } from 'node:events'
import { type Cache, createCache, createCacheMetrics } from '@millrace/cache'
import { CHANNELS, DAY_MS, lateCursorKey, MINUTE_MS, popularQueriesKey } from '@millrace/contracts'
import { openDatabase } from '@millrace/database'
import { openRedis, type RedisConnection } from '@millrace/redis'
import type { Lifecycle } from '@millrace/service'
import { createRedisMetrics } from '@millrace/telemetry'
import type { Config } from '../config.js'
import { EdgePurge } from '../invalidation/edge-purge.js'
import { LateFollower } from '../invalidation/late-follower.js'
import { LateWatch } from '../invalidation/late-watch.js'
import { AnswerCache } from './answer-cache.js'
import type { Answers } from './answers.js'
import { createHttpPolicy } from './http-policy.js'
import { PopularQuestions } from './popular-questions.js'
import { WatermarkWait } from './watermark-wait.js'

const LOOK_EVERY_MS = 1_000
const REDIS_WAIT_MS = 5_000
const SAVE_POPULAR_MS = MINUTE_MS
/** Longer than the gateway waits for an answer. */
const PURGE_AGAIN_MS = 35_000
/** Processes that make answers in another way do not take each other's: to be changed with the meaning of an answer. */
const CACHE_NAME = 'answers-3'

/** Opens the answer cache, memory and Redis, and what keeps both right. Whatever of its servers is away, it goes on with what is left. */
export async function openAnswers(config: Config, lifecycle: Lifecycle): Promise<Answers> {
  const redis = await startRedis(config, lifecycle)
  const purge = await startPurge(config, lifecycle)
  const followers = await startFollowers(config, lifecycle)
  const answers: AnswerCache = new AnswerCache(
    {
      closedMs: config.CACHE_CLOSED_DAYS * DAY_MS,
      openMs: config.CACHE_OPEN_MS,
      staleMs: config.CACHE_STALE_MINUTES * MINUTE_MS,
    },
    { cache: await startCache(config, lifecycle, redis), horizon: () => watch },
  )
  const watermarks = await startWaiting(config, lifecycle, () => watch)
  const watch: LateWatch = new LateWatch(
    { everyMs: LOOK_EVERY_MS, cursorKey: lateCursorKey(CACHE_NAME) },
    {
      followers,
      redis,
      logger: lifecycle.logger,
      drop: (tags) => answers.drop(tags),
      dropAll: () => answers.dropAll(),
      onDropped: (tags) => purge?.purge(tags),
      onLooked: () => watermarks.looked(),
    },
  )
  await lifecycle.start('late event follower', async () => {
    lifecycle.metrics.gauge(
      {
        name: 'millrace_late_events_unseen_seconds',
        help: 'Since late events were last looked for; answers over closed ranges are marked stale after 5 s',
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

function startWaiting(config: Config, { metrics, start }: Lifecycle, source: () => LateWatch): Promise<WatermarkWait> {
  return start('watermark wait', () => {
    const watermarks = new WatermarkWait(
      { defaultMs: config.QUERY_WAIT_MS, maxMs: config.QUERY_WAIT_MAX_MS, waitersMax: config.QUERY_WAITING_MAX },
      { source, now: Date.now },
    )
    metrics.gauge(
      {
        name: 'millrace_query_watermark_waiting',
        help: 'Queries that wait for their min_watermark, outside of the queue',
      },
      (gauge) => gauge.with({}).set(watermarks.waiting),
    )
    return [watermarks, () => watermarks.stop()]
  })
}

/** Late events are looked for in the database by every process, so memory is right without Redis, and is believed for as long as it lives. */
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
    const redis = await openRedis(
      { url, name: 'cache-redis', isLazy: true },
      { logger, metrics: createRedisMetrics(metrics) },
    )
    // With it what Redis holds is compared before the first caller comes; without it, or when it cannot be reached, that is done later.
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

/** On connections of their own: queries that take every other one must not make answers wrong for longer. */
async function startFollowers(config: Config, { logger, start }: Lifecycle): Promise<LateFollower[]> {
  const urls = [config.DATABASE_URL.reveal(), config.DATABASE_REPLICA_URL?.reveal()].filter((url) => url !== undefined)
  const followers: LateFollower[] = []
  for (const url of urls) {
    const reader = await start('late event reader', () => {
      const opened = openDatabase(
        { url, connectionLimit: 1, timeoutMs: 2_000, retryAttempts: 1, applicationName: 'analytics-query late events' },
        { logger },
      )
      return [opened, () => opened.close()]
    })
    const group = { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP }
    followers.push(new LateFollower(group, { reader, monotonicMs: () => performance.now() }))
  }
  return followers
}

/** Messages make it faster; nothing depends on them. */
async function startListening(
  { start }: Lifecycle,
  redis: RedisConnection,
  { watch, purge }: { watch: LateWatch; purge: EdgePurge | undefined },
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

async function startPopular({ every }: Lifecycle, redis: RedisConnection | undefined): Promise<PopularQuestions> {
  const popular = new PopularQuestions(popularQueriesKey(CACHE_NAME), Date.now)
  if (redis === undefined) return popular
  const save = async () => redis.isReady && (await popular.save(redis))
  await every('popular queries', SAVE_POPULAR_MS, save, { runsAtStart: false, runsAtEnd: true })
  return popular
}
