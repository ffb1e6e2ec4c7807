import { WireConnection } from '../../dist/load/index.js'
import { round } from '../../lib/results.mjs'

/**
 * Sends queries one after another for at most `seconds` and gives the quantiles of the time at the caller, in ms. A kind that this build does not
 * answer is `missing` with the reason. `sources` counts where answers came from.
 */
export async function timeQueries(ask, queries, { seconds = Number.POSITIVE_INFINITY } = {}) {
  const times = []
  const sources = {}
  const endsAt = performance.now() + seconds * 1000
  for (const query of queries) {
    if (performance.now() > endsAt) break
    const startedAt = performance.now()
    try {
      const source = await ask(query)
      times.push(performance.now() - startedAt)
      sources[source] = (sources[source] ?? 0) + 1
    } catch (error) {
      return { missing: error.message.slice(0, 200) }
    }
  }
  return { ...quantiles(times), sources, times }
}

/** p50, p95, p99 and greatest of times in ms, by nearest rank. */
export function quantiles(times) {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share) => round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)], 3)
  return { calls: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1) }
}

/** Asks by gRPC. `isFresh` passes every cache by. */
export function askGrpc(analytics, { isFresh = false } = {}) {
  return async (query) => {
    if (query.user_id !== undefined) {
      await analytics.timeline(query.user_id)
      return 'raw'
    }
    const { meta } = await analytics.query({ ...query, fresh: isFresh })
    return meta.source
  }
}

/** Asks by the public route over one keep-alive connection. */
export function askHttp({ url, key }) {
  const wire = new WireConnection(url)
  const head = `Host: localhost\r\nAuthorization: Bearer ${key}\r\n`
  const ask = async ({ kind, ...query }) => {
    const body = JSON.stringify(query)
    const request =
      query.user_id === undefined
        ? `POST /api/v1/query/${kind} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        : `GET /api/v1/users/${query.user_id}/timeline?limit=50 HTTP/1.1\r\n${head}\r\n`
    const answer = await wire.send(request, 60_000)
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body}`)
    return query.user_id === undefined ? /"source":"(\w+)"/.exec(answer.body)?.[1] : 'raw'
  }
  return { ask, close: () => wire.close() }
}
