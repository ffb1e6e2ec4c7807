import { DAY_MS } from '@millrace/contracts'
import { type Stack, slownessFactor } from '@millrace/local-stack'
import type { Route } from './outage-table.js'

/** What a client saw. */
export interface Seen {
  /** The status code; of the live stream what came first; `none` when the client gave up. */
  readonly outcome: string
  readonly tookMs: number
  /** The problem code of an error. */
  readonly code?: string | undefined
  readonly detail?: string | undefined
  /** Whether the answer said when to retry. */
  readonly saysWhenToRetry?: boolean
  /** Whether a 503 must have a Retry-After header: true for the routes of the public API, false for the routes of probes. */
  readonly needsRetryAfter?: boolean
  /** Receipt of an accepted request. */
  readonly receipt?: string | undefined
}

/** A client gives up after this time: longer than every deadline in the table. */
const PATIENCE_MS = 40_000

/** Counts come once a second. */
const LIVE_PATIENCE_MS = 15_000

/** Sends one request to each route. */
export class RouteProbe {
  readonly #stack: Stack
  /** A receipt of an earlier request, to ask for. */
  receipt = ''
  #events = 0

  constructor(stack: Stack) {
    this.#stack = stack
  }

  ask(route: Route): Promise<Seen> {
    const { adminKey, writeKey } = this.#stack
    const admin = { authorization: `Bearer ${adminKey}` }
    const writer = { authorization: `Bearer ${writeKey}` }
    switch (route) {
      case 'ingest, known key':
        return this.#send('/v1/track', writer, this.#event())
      case 'ingest, unknown key':
        return this.#send('/v1/track', { authorization: `Bearer mr_unknown_${Math.random()}` }, this.#event())
      case 'ingest with wait=stored':
        return this.#send('/v1/events?wait=stored', writer, [this.#event()])
      case 'receipt':
        return this.#send(`/v1/receipts/${this.receipt}`, admin)
      case 'query, in the cache':
        return this.#send('/api/v1/query/timeseries', admin, CACHED_QUERY)
      case 'query, not in the cache':
        return this.#send('/api/v1/query/timeseries', admin, { ...CACHED_QUERY, fresh: true })
      case 'list':
        return this.#send('/api/v1/events?limit=1', admin)
      case 'keys':
        return this.#send('/api/v1/keys', admin)
      case 'dead letters':
        return this.#send('/api/v1/dead-letters', admin)
      case 'rejections':
        return this.#send('/api/v1/rejections', admin)
      case 'live':
        return this.#watchLive(admin)
      case 'ledger':
        return this.#send('/api/v1/ledger', admin)
      case 'health':
        return this.#send('/api/health', {})
      case 'docs':
        return this.#send('/docs', {})
      default:
        return this.#askAdmin(route)
    }
  }

  async #askAdmin(route: string): Promise<Seen> {
    const [path = '', name = ''] = route.split(' of ')
    const services = this.#stack.services.filter(
      ({ instance }) => name === 'all services' || instance.entry.name === name,
    )
    const all = await Promise.all(services.map(({ server }) => this.#send(`${server.adminUrl}${path}`, {})))
    const worst = all.find(({ outcome }) => outcome !== '200') ?? all[0]
    return { ...(worst as Seen), tookMs: Math.max(...all.map(({ tookMs }) => tookMs)) }
  }

  #event(): object {
    return { type: 'track', event: 'Outage', userId: `user-${this.#events++ % 50}`, messageId: crypto.randomUUID() }
  }

  async #send(path: string, headers: Record<string, string>, body?: object): Promise<Seen> {
    const startedAt = performance.now()
    const took = () => performance.now() - startedAt
    try {
      const response = await fetch(path.startsWith('http') ? path : `${this.#stack.url}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(Math.round(PATIENCE_MS * slownessFactor())),
      })
      const text = await response.text()
      const isJson = (response.headers.get('content-type') ?? '').includes('json')
      const found = (isJson ? JSON.parse(text) : {}) as Record<string, unknown>
      return {
        outcome: outcomeOf(response.status, found),
        tookMs: took(),
        code: textOf(found.code),
        detail: textOf(found.detail),
        receipt: textOf(found.receipt),
        saysWhenToRetry: response.headers.has('retry-after'),
        needsRetryAfter: path.startsWith('/'),
      }
    } catch (error) {
      return { outcome: 'none', tookMs: took(), detail: (error as Error).message }
    }
  }

  /** Reads the stream until the first event. */
  async #watchLive(headers: Record<string, string>): Promise<Seen> {
    const startedAt = performance.now()
    const took = () => performance.now() - startedAt
    const giveUp = AbortSignal.timeout(Math.round(LIVE_PATIENCE_MS * slownessFactor()))
    try {
      const response = await fetch(`${this.#stack.url}/api/v1/live`, { headers, signal: giveUp })
      if (response.status !== 200) return { outcome: String(response.status), tookMs: took() }
      let text = ''
      for await (const chunk of response.body ?? []) {
        text += Buffer.from(chunk as Uint8Array).toString()
        const event = /event: (\w+)\ndata: (.*)\n\n/.exec(text)
        if (event === null) continue
        const data = JSON.parse(event[2] ?? '{}') as Record<string, unknown>
        return { outcome: event[1] as string, tookMs: took(), code: textOf(data.code), detail: textOf(data.detail) }
      }
      return { outcome: 'ended', tookMs: took() }
    } catch (error) {
      return { outcome: 'none', tookMs: took(), detail: (error as Error).message }
    }
  }
}

/** With a fixed range: without one, a query ends with the current minute, and the answer of a minute ago is another query's. */
const CACHED_QUERY = {
  event: 'Outage',
  interval: '1h',
  from: new Date(Date.now() - DAY_MS).toISOString(),
  to: new Date(Date.now() + DAY_MS).toISOString(),
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** With wait=stored an accepted request also says what became of its records. */
function outcomeOf(status: number, body: Record<string, unknown>): string {
  const { outcome } = body
  if (outcome === undefined) return String(status)
  return `${status} ${typeof outcome === 'string' ? outcome : String((outcome as { state?: unknown }).state)}`
}
