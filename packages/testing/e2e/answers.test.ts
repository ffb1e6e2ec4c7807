import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type Stack, waitFor } from '@millrace/local-stack'
import pg from 'pg'
import { startTestStack } from '../src/spawn-service.js'
import { findTestEdge, startTestEdge } from '../src/test-edge.js'

const DAY = 86_400_000
const TODAY = Math.floor(Date.now() / DAY) * DAY
const OTHER_KEY = 'mr_other_tenant'
const day = (before: number): string => new Date(TODAY - before * DAY).toISOString()

interface Given {
  readonly status: number
  readonly total: number
  readonly source: string
  readonly etag: string | null
}

/** Real services, a real edge in front of them where there is one, and what the edge is told to forget. */
describe('answers about closed days, from the gateway to the rows and back', () => {
  let stack: Stack
  let edge: { readonly origin: string; stop(): Promise<void> } | undefined
  let purges: Server
  const purged = new Set<string>()

  beforeAll(async () => {
    purges = createServer((req, res) => {
      for (const key of String(req.headers['surrogate-key']).split(' ')) purged.add(key)
      res.end()
    })
    purges.listen(0, '127.0.0.1')
    await once(purges, 'listening')
    stack = await startTestStack({
      instances: { 'analytics-query': 2 },
      env: {
        QUERY_EDGE_CACHE: 'true',
        EDGE_PURGE_URL: `http://127.0.0.1:${(purges.address() as AddressInfo).port}/`,
        // nginx cannot be purged by key; it asks again after this.
        EDGE_MAX_AGE_S: '1',
      },
    })
    const command = findTestEdge()
    edge = command === undefined ? undefined : await startTestEdge(command, stack.url)
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
    { etag, at = edge?.origin ?? stack.url }: { etag?: string | null; at?: string } = {},
  ): Promise<Given> => {
    const query = new URLSearchParams({ event: 'Flight', interval: '1d', from: day(days[0]), to: day(days[1]) })
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
    }
  }

  test('are kept apart by tenant, given again without reading, answered 304, and right again after a late event and a killed consumer', async () => {
    for (const before of [4, 3, 2]) await send(stack.adminKey, 'Flight', day(before), '?wait=stored')
    await send(OTHER_KEY, 'Flight', day(3), '?wait=stored')
    // Closed as soon as every partition was looked at once. An edge keeps the body it has while the tag is the same.
    const direct = { at: stack.url }
    await waitFor(async () => ['memory', 'redis'].includes((await ask(stack.adminKey, [4, 1], direct)).source))
    const first = await ask(stack.adminKey, [4, 1])
    expect([first.status, first.total]).toEqual([200, 3])
    expect((await ask(OTHER_KEY, [4, 1])).total).toBe(1)
    expect((await ask('mr_nobody', [4, 1])).status).toBe(401)
    expect((await ask(stack.adminKey, [4, 1], first)).status).toBe(304)

    purged.clear()
    await send(stack.adminKey, 'Flight', day(3))
    const consumer = stack.services.find(({ instance }) => instance.name === 'stream-consumer')
    await consumer?.server.kill('SIGKILL')
    await waitFor(async () => (await ask(stack.adminKey, [4, 1])).total === 4)
    expect((await ask(stack.adminKey, [4, 1], first)).status).toBe(200)
    expect((await ask(OTHER_KEY, [4, 1])).total).toBe(1)
    await waitFor(() => [...purged].some((key) => key.endsWith(day(3).slice(0, 10))))
  })
})
