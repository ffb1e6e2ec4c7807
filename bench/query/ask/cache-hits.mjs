import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { contestants } from '../../cache/contestants.mjs'
import { memoryHit, redisHit, TAGS } from '../../cache/measure.mjs'
import { round } from '../../lib/results.mjs'

const MEMORY_MS = 1_000
const REDIS_HITS = 1_000

/** What packages/cache itself takes for a hit, measured as bench/cache does, on the Redis of this run, beside a bare GET of the same bytes. */
export async function measureCacheHits(stack) {
  const [ours] = contestants
  const open = (options) => ours.open(stack.cacheRedisUrl, options)
  const bare = await openRedis({ name: 'bare', url: stack.cacheRedisUrl }, { logger: silentLogger })
  try {
    const memory = await memoryHit(open, { ms: MEMORY_MS, tags: TAGS })
    const redis = await redisHit(open, { client: bare.client, count: REDIS_HITS })
    return {
      l1_hit_us: round(memory.us, 3),
      l2_hit_us: round(redis.us, 1),
      l2_own_us: round(redis.us - redis.getUs, 1),
      redis_get_us: round(redis.getUs, 1),
    }
  } finally {
    await bare.close()
  }
}
