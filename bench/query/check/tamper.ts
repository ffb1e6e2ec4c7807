import { CACHE_ENTRY_PATTERN } from '@millrace/contracts'
import type { Stack } from '@millrace/local-stack'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'

/**
 * Gives every cached value to the key of the next one, behind the product's back, with all that says how old it is and what it belongs to left as
 * it is; then makes the last analytics-query forget what it has in memory. Answers are now wrong, and only who compares them with the rows can tell.
 * Returns how many values were moved.
 */
export async function tamperWithCache(stack: Stack): Promise<number> {
  const redis = await openRedis({ url: stack.cacheRedisUrl, name: 'tamper' }, { logger: silentLogger })
  const { client } = redis
  try {
    const entries: { key: string; packing: Buffer; value: Buffer }[] = []
    for (const key of await scan(client)) {
      const [packing, value] = await client.hmgetBuffer(key, 'c', 'v')
      if (packing && value) entries.push({ key, packing, value })
    }
    for (const [index, { key }] of entries.entries()) {
      const next = entries[(index + 1) % entries.length]
      if (next) await client.hset(key, { c: next.packing, v: next.value })
    }
    const last = stack.services.findLast(({ instance }) => instance.entry.name === 'analytics-query')
    await last?.takeDown()
    await last?.bringUp()
    return entries.length
  } finally {
    await redis.close()
  }
}

async function scan(client: RedisConnection['client']): Promise<string[]> {
  const keys: string[] = []
  let cursor = '0'
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', CACHE_ENTRY_PATTERN, 'COUNT', 1000)
    keys.push(...found)
    cursor = next
  } while (cursor !== '0')
  return keys
}
