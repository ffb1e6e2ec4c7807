import { round } from '../../lib/results.js'
import { WireConnection } from '../../load/wire-connection.js'
import type { Analytics } from './grpc.js'
import type { Query } from './query.js'

export interface Quantiles {
  calls: number
  p50_ms: number | undefined
  p95_ms: number | undefined
  p99_ms: number | undefined
  max_ms: number | undefined
}

/** What a series of queries took. */
export interface Timing extends Partial<Quantiles> {
  /** Why this build does not answer such queries. */
  missing?: string
  /** Number of answers by where they came from. */
  sources?: Record<string, number>
  /** In ms at the caller. */
  times?: number[]
}

/** Runs a query and resolves with the source of the answer. */
export type Ask = (query: Query) => Promise<string>

/** Sends queries one after another for at most `seconds` and measures the time of each at the caller. */
export async function timeQueries(
  ask: Ask,
  queries: readonly Query[],
  { seconds = Number.POSITIVE_INFINITY } = {},
): Promise<Timing> {
  const times: number[] = []
  const sources: Record<string, number> = {}
  const endsAt = performance.now() + seconds * 1000
  for (const query of queries) {
    if (performance.now() > endsAt) break
    const startedAt = performance.now()
    try {
      const source = await ask(query)
      times.push(performance.now() - startedAt)
      sources[source] = (sources[source] ?? 0) + 1
    } catch (error) {
      return { missing: (error as Error).message.slice(0, 200) }
    }
  }
  return { ...quantiles(times), sources, times }
}

/** p50, p95, p99 and maximum of times in ms, by nearest rank. */
export function quantiles(times: readonly number[]): Quantiles {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) => round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)], 3)
  return { calls: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), max_ms: at(1) }
}

/** Asks by gRPC. `isFresh` bypasses every cache. */
export function askGrpc(analytics: Analytics, { isFresh = false } = {}): Ask {
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
export function askHttp({ url, key }: { url: string; key: string }): { ask: Ask; close(): void } {
  const wire = new WireConnection(url)
  const head = `Host: localhost\r\nAuthorization: Bearer ${key}\r\n`
  const ask: Ask = async ({ kind, ...query }) => {
    const body = JSON.stringify(query)
    const request =
      query.user_id === undefined
        ? `POST /api/v1/query/${kind} HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
        : `GET /api/v1/users/${query.user_id}/timeline?limit=50 HTTP/1.1\r\n${head}\r\n`
    const answer = await wire.send(request, 60_000)
    if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.body}`)
    return query.user_id === undefined ? (/"source":"(\w+)"/.exec(answer.body)?.[1] ?? 'unknown') : 'raw'
  }
  return { ask, close: () => wire.close() }
}
