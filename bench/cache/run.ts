// npm run bench -- cache: memory hit, Redis hit beside a bare GET, miss, invalidation and stampede of three caches; see README.md beside this file.
import { parseArgs } from 'node:util'
import { startRedis } from '@millrace/local-stack'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { describeMachine } from '../lib/machine.js'
import { printTable, round, say, writeResult } from '../lib/results.js'
import { contestants, type OpenOptions } from './contestants.js'
import { invalidation, memoryHit, miss, redisHit, staleAfterWrite, stampede, TAGS } from './measure.js'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' } } })
const seconds = Number(values.seconds)
/** Of one measurement: three contestants, about seven measurements each. */
const ms = Math.max(200, (seconds * 1_000) / 21)
const count = Math.max(100, Math.round(ms * 2))

const machine = describeMachine()
say(`machine: ${JSON.stringify(machine)}`)
const server = await startRedis({ appendonly: false })
const bare = await openRedis({ name: 'bare', url: server.url }, { logger: silentLogger })
const rows = []
for (const contestant of contestants) {
  const { name } = contestant
  const open = (options?: OpenOptions) => contestant.open(server.url, options)
  say(`measuring ${name}`)
  const plain = await memoryHit(open, { ms })
  const tagged = await memoryHit(open, { ms, tags: TAGS })
  const redis = await redisHit(open, { client: bare.client, count })
  const missed = await miss(open, { count })
  const invalidated = await invalidation(open, { count: Math.min(count, 200) })
  const stampeded = await stampede(open)
  const { stale } = await staleAfterWrite(open, { count: 50 })
  rows.push({ name, plain, tagged, redis, missed, invalidated, stampeded, stale })
}
await bare.close()
await server.stop()

printTable(
  rows.map(({ name, plain, tagged, redis, missed, invalidated, stampeded, stale }) => ({
    cache: name,
    'L1 hit us': round(plain.us, 2),
    'L1 hit, 3 tags us': round(tagged.us, 2),
    'L2 hit us': round(redis.us),
    'bare GET us': round(redis.getUs),
    'own us': round(redis.us - redis.getUs),
    'miss us': round(missed.us),
    'invalidate us': round(invalidated.us),
    'seen elsewhere ms': Number.isFinite(invalidated.lagMs) ? round(invalidated.lagMs, 1) : 'over 2000',
    'loads of 2,000': stampeded.loads,
    'old value kept of 50': stale,
  })),
)
const ours = rows[0]
if (ours === undefined) throw new Error('nothing was measured')
say(`peek, the synchronous read of memory: ${round(ours.plain.peekUs, 3)} us`)
const result = {
  l1_hit_us: round(ours.tagged.us, 3),
  l1_peek_us: round(ours.plain.peekUs, 3),
  l2_hit_us: round(ours.redis.us, 1),
  l2_own_us: round(ours.redis.us - ours.redis.getUs, 1),
  l2_hit_p99_us: round(ours.redis.p99Us, 1),
  redis_get_us: round(ours.redis.getUs, 1),
  miss_us: round(ours.missed.us, 1),
  invalidate_us: round(ours.invalidated.us, 1),
  invalidation_lag_ms: round(ours.invalidated.lagMs, 2),
  stampede_loads: ours.stampeded.loads,
  stampede_ms: round(ours.stampeded.ms, 1),
  stale_after_write: ours.stale,
}
writeResult('cache', { machine, settings: { seconds }, rows, result })
process.exit(0)
