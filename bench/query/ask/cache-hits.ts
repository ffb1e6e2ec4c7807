import type { Stack } from '@millrace/local-stack'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { type OpenOptions, ours } from '../../cache/contestants.js'
import { memoryHit, redisHit, TAGS } from '../../cache/measure.js'
import { round } from '../../lib/results.js'

const MEMORY_MS = 1_000
const REDIS_HITS = 1_000

/** The time of a hit in packages/cache alone, measured as bench/cache does, on the Redis of this run, beside a bare GET of the same bytes. */
export async function measureCacheHits(stack: Stack) {
  const open = (options?: OpenOptions) => ours.open(stack.cacheRedisUrl, options)
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
