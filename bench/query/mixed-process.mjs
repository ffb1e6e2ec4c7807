// A load of dashboards on one analytics-query, in a process of its own; prints what came back as JSON.
import { createRandom } from '../dist/lib/random.js'
import { openAnalytics } from './ask/grpc.mjs'
import { quantiles } from './ask/measure.mjs'
import { createZipf } from './data/model.mjs'

const { address, queries, concurrency, seconds, seed } = JSON.parse(process.argv[2])
const analytics = openAnalytics(address)
const random = createRandom(seed)
const pick = createZipf(random, queries.length, 1.01)
const times = []
const sources = {}
let faults = 0
let firstFault
let isCounting = false
const startedAt = performance.now()
const warmUntil = startedAt + Math.min(5, seconds / 3) * 1000
const endsAt = warmUntil + seconds * 1000

await Promise.all(Array.from({ length: concurrency }, lane))
analytics.close()
process.stdout.write(JSON.stringify({ ...quantiles(times), seconds, sources, faults, firstFault }))

async function lane() {
  for (;;) {
    const begin = performance.now()
    if (begin > endsAt) return
    isCounting = begin > warmUntil
    const query = queries[pick()]
    try {
      const { meta } = await analytics.query(query)
      if (!isCounting) continue
      times.push(performance.now() - begin)
      sources[meta.source] = (sources[meta.source] ?? 0) + 1
    } catch (error) {
      faults++
      firstFault ??= error.message
    }
  }
}
