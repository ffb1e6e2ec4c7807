import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Stack, waitFor } from '@millrace/local-stack'
import pg from 'pg'
import { findPurgeableEdge, startPurgeableEdge } from '../src/edge/test-edge.js'
import { startTestStack } from '../src/spawn-service.js'

/** Deadline for what a whole stack does in the background, in ms. */
const STACK_MS = 60_000

const DAY = 86_400_000
const TODAY = Math.floor(Date.now() / DAY) * DAY
const OTHER_KEY = 'mr_other_tenant'
const day = (before: number): string => new Date(TODAY - before * DAY).toISOString()

interface Given {
  readonly status: number
  readonly total: number
  readonly source: string
  readonly etag: string | null
  readonly cacheControl: string
  /** What the edge did, and when the gateway sent what it gives. */
  readonly did: string | null
  readonly sentAt: string | undefined
}

/** Longer than this test, so that an answer at the edge can change by a purge only. */
const EDGE_MAX_AGE_S = '3600'

/** Real services behind a real edge, if one can be had, and the purge requests that the edge receives. */
describe('answers about closed days, from the gateway to the rows and back', () => {
  let stack: Stack
  let edge: { readonly origin: string; stop(): Promise<void> } | undefined
  let purges: Server
  const binary = findPurgeableEdge()
  const purged = new Set<string>()

  beforeAll(async () => {
    // Passes on what it is sent as it is, but for what a process that begins drops: everything, twice.
    purges = createServer((req, res) => {
      const keys = String(req.headers['surrogate-key']).split(' ')
      for (const key of keys) purged.add(key)
      if (edge === undefined || keys.includes('millrace')) {
        res.end()
        return
      }
      request(edge.origin, { method: req.method, path: req.url, headers: req.headers }, (answer) => {
        res.statusCode = answer.statusCode ?? 502
        answer.pipe(res)
      }).end()
    })
    purges.listen(0, '127.0.0.1')
    await once(purges, 'listening')
    stack = await startTestStack({
      instances: { 'analytics-query': 2 },
      env: {
        QUERY_EDGE_CACHE: 'true',
        EDGE_PURGE_URL: `http://127.0.0.1:${(purges.address() as AddressInfo).port}/`,
        EDGE_PURGE_METHOD: 'PURGE',
        EDGE_PURGE_HEADER: 'Purge-Token: change-me',
        EDGE_MAX_AGE_S,
        // The killed consumer holds its partitions for so long.
        LEASE_MS: '5000',
      },
    })
    edge = binary === undefined ? undefined : await startPurgeableEdge(binary, stack.url)
    const client = new pg.Client({ connectionString: stack.databaseUrl })
    await client.connect()
    await client.query(
      `with made as (insert into tenants (name) values ('other') returning id)
       insert into api_keys (tenant_id, key_hash, key_hint, scopes) select id, $1, 'mr_', '{write,read}' from made`,
      [createHash('sha256').update(OTHER_KEY).digest()],
    )
    await client.end()
  })

  afterAll(async () => {
    await edge?.stop()
    await stack?.stop()
    purges.closeAllConnections()
    purges.close()
  })

  const send = async (key: string, event: string, timestamp: string, query = ''): Promise<void> => {
    const body = [{ type: 'track', event, userId: 'ann', messageId: randomUUID(), timestamp }]
    const answer = await fetch(`${stack.url}/v1/events${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect([answer.status, await answer.json()]).toMatchObject([200, { accepted: 1 }])
  }

  const ask = async (
    key: string,
    days: readonly [number, number],
    {
      etag,
      at = edge?.origin ?? stack.url,
      event = 'Flight',
    }: { etag?: string | null; at?: string; event?: string } = {},
  ): Promise<Given> => {
    const query = new URLSearchParams({ event, interval: '1d', from: day(days[0]), to: day(days[1]) })
    const answer = await fetch(`${at}/api/v1/query/timeseries?${query}`, {
      headers: { authorization: `Bearer ${key}`, ...(typeof etag === 'string' && { 'if-none-match': etag }) },
    })
    const text = await answer.text()
    const body = (text === '' ? {} : JSON.parse(text)) as {
      data?: { value: number }[]
      meta?: { source: string }
    }
    return {
      status: answer.status,
      total: (body.data ?? []).reduce((sum, { value }) => sum + value, 0),
      source: body.meta?.source ?? '',
      etag: answer.headers.get('etag'),
      cacheControl: answer.headers.get('cache-control') ?? '',
      did: answer.headers.get('x-cache'),
      sentAt: /sent_at="(.+)"/.exec(answer.headers.get('millrace-meta') ?? '')?.[1],
    }
  }
  /** Waits until the edge answers from its cache; without an edge, until the gateway allows an edge to cache the answer. */
  const keep = (...question: Parameters<typeof ask>): Promise<Given> =>
    waitFor(
      async () => {
        const given = await ask(...question)
        return (
          given.cacheControl.includes(`s-maxage=${EDGE_MAX_AGE_S}`) &&
          (edge === undefined || given.did === 'HIT') &&
          given
        )
      },
      { deadlineMs: STACK_MS },
    )

  test('answers about closed days are separate for each tenant, come from the cache, are answered 304, and are right again after a late event and after a killed consumer', async () => {
    for (const before of [4, 3, 2]) await send(stack.adminKey, 'Flight', day(before), '?wait=stored')
    await send(OTHER_KEY, 'Flight', day(3), '?wait=stored')
    const first = await keep(stack.adminKey, [4, 1])
    // Nothing of theirs is late, at the beginning either.
    const others: Parameters<typeof ask>[] = [
      [stack.adminKey, [4, 1], { event: 'Landing' }],
      [stack.adminKey, [9, 7]],
    ]
    const kept: Given[] = []
    for (const other of others) kept.push(await keep(...other))
    expect([first.status, first.total]).toEqual([200, 3])
    expect((await ask(OTHER_KEY, [4, 1])).total).toBe(1)
    expect((await ask('mr_nobody', [4, 1])).status).toBe(401)
    expect((await ask(stack.adminKey, [4, 1], first)).status).toBe(304)

    purged.clear()
    await send(stack.adminKey, 'Flight', day(3))
    const consumer = stack.services.find(({ instance }) => instance.name === 'stream-consumer')
    await consumer?.server.kill('SIGKILL')
    // An answer that was under way is purged 35 s later only.
    await waitFor(async () => (await ask(stack.adminKey, [4, 1])).total === 4, { deadlineMs: 120_000 })
    expect((await ask(stack.adminKey, [4, 1], first)).status).toBe(200)
    expect((await ask(OTHER_KEY, [4, 1])).total).toBe(1)
    await waitFor(() => [...purged].some((key) => key.endsWith(day(3).slice(0, 10))), { deadlineMs: STACK_MS })
    if (edge === undefined) return
    for (const [i, other] of others.entries()) {
      expect(await ask(...other)).toMatchObject({ did: 'HIT', sentAt: kept[i]?.sentAt, total: 0 })
    }
  })

  const behindEdge = binary === undefined ? test.skip : test
  behindEdge('over a range up to now are given by the edge while it asks for newer ones', async () => {
    const stale = await waitFor(
      async () => {
        const given = await ask(stack.adminKey, [2, -1])
        expect(given.cacheControl).toBe('public, max-age=1, s-maxage=1, stale-while-revalidate=10')
        return given.did === 'STALE' && given
      },
      { deadlineMs: STACK_MS },
    )
    await waitFor(async () => ((await ask(stack.adminKey, [2, -1])).sentAt ?? '') > (stale.sentAt ?? ''), {
      deadlineMs: STACK_MS,
    })
  })
})
