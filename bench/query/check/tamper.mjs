import { CACHE_ENTRY_PATTERN } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'

/**
 * Gives every cached value to the key of the next one, behind the product's back, with all that says how old it is and what it belongs to left as
 * it is; then makes the last analytics-query forget what it has in memory. Answers are now wrong, and only who compares them with the rows can tell.
 * Returns how many values were moved.
 */
export async function tamperWithCache(stack) {
  const redis = await openRedis({ url: stack.cacheRedisUrl, name: 'tamper' }, { logger: silentLogger })
  const { client } = redis
  try {
    const entries = []
    for (const key of await scan(client)) {
      const [packing, value] = await client.hmgetBuffer(key, 'c', 'v')
      if (value !== null) entries.push({ key, packing, value })
    }
    for (const [index, { key }] of entries.entries()) {
      const { packing, value } = entries[(index + 1) % entries.length]
      await client.hset(key, { c: packing, v: value })
    }
    const last = stack.services.findLast(({ instance }) => instance.entry.name === 'analytics-query')
    await last.takeDown()
    await last.bringUp()
    return entries.length
  } finally {
    await redis.close()
  }
}

async function scan(client) {
  const keys = []
  let cursor = '0'
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', CACHE_ENTRY_PATTERN, 'COUNT', 1000)
    keys.push(...found)
    cursor = next
  } while (cursor !== '0')
  return keys
}
