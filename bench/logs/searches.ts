import { Latencies, type LatencySummary } from '../load/latencies.js'
import { query } from './victoria-logs.js'

/** A word that only the lines of `plantedBody` have. */
export const PLANTED_WORD = 'zyxquark'
const WARM_UP = 2

/** A kind of search: parameters of GET /api/v1/logs, and the same for VictoriaLogs. */
interface Search {
  readonly kind: string
  readonly params: Readonly<Record<string, string>>
  readonly logsQl: string
  readonly limit: number
}

/** The kinds of search that both can answer. `traceId` is that of a stored line. */
function searches(traceId: string): readonly Search[] {
  const newest = 'sort by (_time) desc'
  return [
    { kind: 'rare word', params: { q: PLANTED_WORD }, logsQl: PLANTED_WORD, limit: 100 },
    { kind: 'absent word', params: { q: 'qqxzabsent' }, logsQl: 'qqxzabsent', limit: 100 },
    { kind: 'word with digits', params: { q: 'u_100000' }, logsQl: `u_100000 | ${newest}`, limit: 10 },
    { kind: 'trace id', params: { trace_id: traceId }, logsQl: `trace_id:="${traceId}" | ${newest}`, limit: 100 },
    {
      kind: 'newest 100 of a service and a level',
      params: { service: 'cart', level: 'warn' },
      logsQl: `service:=cart level:=warn | ${newest}`,
      limit: 100,
    },
    {
      kind: 'newest 100 of the rarest service and a level',
      params: { service: 'scheduler', level: 'error' },
      logsQl: `service:=scheduler level:=error | ${newest}`,
      limit: 100,
    },
    { kind: 'common word, first page', params: { q: 'order' }, logsQl: `order | ${newest}`, limit: 10 },
    { kind: 'rare substring', params: { contains: 'yxquar' }, logsQl: `~"yxquar"`, limit: 100 },
  ]
}

/** How one kind of search did. */
export interface SearchRow {
  readonly kind: string
  /** Lines that were found by the last search of this kind. */
  readonly lines: number
  /** Searches that got 503 because they took too long; their time counts as well. After the first one the kind is not measured any further. */
  readonly failed: number
  readonly latency: LatencySummary
}

interface Rounds {
  readonly rounds: number
  readonly traceId: string
}

/** Sends each kind of search to the gateway, one at a time. */
export async function measureSearches(
  { url, key }: { readonly url: string; readonly key: string },
  { rounds, traceId }: Rounds,
): Promise<SearchRow[]> {
  return await measure(rounds, traceId, async ({ params, limit }) => {
    const parameters = new URLSearchParams({ ...params, limit: String(limit) })
    const response = await fetch(`${url}/api/v1/logs?${parameters.toString()}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    if (response.status === 503) return undefined
    if (!response.ok) throw new Error(`a search got ${response.status}: ${(await response.text()).slice(0, 300)}`)
    return ((await response.json()) as { data: unknown[] }).data.length
  })
}

/** The same searches of VictoriaLogs. */
export async function measurePeerSearches(url: string, { rounds, traceId }: Rounds): Promise<SearchRow[]> {
  return await measure(rounds, traceId, async ({ logsQl, limit }) => {
    const text = await query(url, logsQl, limit)
    return text === '' ? 0 : text.trimEnd().split('\n').length
  })
}

type RunSearch = (search: Search) => Promise<number | undefined>

async function measure(rounds: number, traceId: string, run: RunSearch): Promise<SearchRow[]> {
  const rows: SearchRow[] = []
  for (const search of searches(traceId)) {
    const latencies = new Latencies()
    let lines = 0
    let failed = 0
    for (let round = -WARM_UP; round < rounds && failed === 0; round++) {
      const startedAt = performance.now()
      const found = await run(search)
      if (found === undefined) failed++
      else lines = found
      if (round >= 0 || failed > 0) latencies.add(performance.now() - startedAt)
    }
    rows.push({ kind: search.kind, lines, failed, latency: latencies.summary() })
  }
  return rows
}
