import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'

/** What the answer cache keeps in Redis: anything else of the product's there is left alone. */
const PATTERN = 'millrace:cache:*'

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
      const type = await client.type(key)
      if (type === 'string') entries.push({ key, value: await client.getBuffer(key) })
      if (type !== 'hash') continue
      const fields = Object.entries(await client.hgetallBuffer(key))
      const [field, value] = fields.sort(([, a], [, b]) => b.length - a.length)[0]
      if (value.length > 64) entries.push({ key, field, value })
    }
    for (const [index, { key, field }] of entries.entries()) {
      const { value } = entries[(index + 1) % entries.length]
      if (field === undefined) await client.set(key, value, 'KEEPTTL')
      else await client.hset(key, field, value)
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
    const [next, found] = await client.scan(cursor, 'MATCH', PATTERN, 'COUNT', 1000)
    keys.push(...found)
    cursor = next
  } while (cursor !== '0')
  return keys
}
