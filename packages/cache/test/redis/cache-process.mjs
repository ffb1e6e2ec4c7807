// A process with a cache of its own: the test sends commands, one at a time, and gets one message back for each.
import { createCache } from '@millrace/cache'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'

const [url, leaseMs] = process.argv.slice(2)
const redis = await openRedis({ name: 'cache', url }, { logger: silentLogger })
const cache = createCache(
  { name: 'test', remoteTimeoutMs: 60_000, leaseMs: Number(leaseMs), lagMsMax: 600_000, syncEveryMs: 50 },
  { logger: silentLogger, redis },
)
const namespace = cache.namespace('test', { level: 'hot' })
const actions = {
  start: async () => 'ready',
  read: async ({ key, value, tags }) => (await namespace.getOrSet(key, () => value, { tags })).value,
  invalidate: async ({ tags }) => (await namespace.invalidateTags(tags)).reach,
  hang: ({ key }) =>
    new Promise((resolve) => {
      namespace
        .getOrSet(key, () => {
          resolve('loading')
          return new Promise(() => undefined)
        })
        .catch(() => undefined)
    }),
}
process.on('message', async (command) => process.send(await actions[command.do](command)))
process.on('disconnect', () => process.exit())
