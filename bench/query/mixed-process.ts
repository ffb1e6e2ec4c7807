// A load of dashboards on one analytics-query, in a separate process; prints its figures as JSON.
import { printReport, readTask } from '../lib/json-process.js'
import { createRandom } from '../lib/random.js'
import { openAnalytics } from './ask/grpc.js'
import { type Quantiles, quantiles } from './ask/measure.js'
import type { Query } from './ask/query.js'
import { createZipf } from './data/model.js'

export interface MixedTask {
  address: string
  queries: Query[]
  concurrency: number
  seconds: number
  seed: number
}

export interface MixedReport extends Quantiles {
  seconds: number
  sources: Record<string, number>
  faults: number
  firstFault?: string | undefined
}

const { address, queries, concurrency, seconds, seed } = readTask<MixedTask>()
const analytics = openAnalytics(address)
const random = createRandom(seed)
const pick = createZipf(random, queries.length, 1.01)
const times: number[] = []
const sources: Record<string, number> = {}
let faults = 0
let firstFault: string | undefined
let isCounting = false
const startedAt = performance.now()
const warmUntil = startedAt + Math.min(5, seconds / 3) * 1000
const endsAt = warmUntil + seconds * 1000

await Promise.all(Array.from({ length: concurrency }, lane))
analytics.close()
const report: MixedReport = { ...quantiles(times), seconds, sources, faults, firstFault }
printReport(report)

async function lane(): Promise<void> {
  for (;;) {
    const begin = performance.now()
    if (begin > endsAt) return
    isCounting = begin > warmUntil
    const query = queries[pick()] as Query
    try {
      const { meta } = await analytics.query(query)
      if (!isCounting) continue
      times.push(performance.now() - begin)
      sources[meta.source] = (sources[meta.source] ?? 0) + 1
    } catch (error) {
      faults++
      firstFault ??= (error as Error).message
    }
  }
}
