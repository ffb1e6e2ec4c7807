import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { findPurgeableEdge, startPurgeableEdge, waitFor } from '@millrace/testing'
import { EdgePurge } from './edge-purge.js'

describe('the purge of an edge', () => {
  let server: Server
  let url: string
  let purge: EdgePurge | undefined
  /** What the edge was told, and what it answers. */
  let told: { method: string; keys: string[]; proof: string | undefined }[]
  let status: number

  beforeEach(async () => {
    told = []
    status = 200
    server = createServer((req, res) => {
      const proof = req.headers['fastly-key']
      told.push({
        method: req.method ?? '',
        keys: String(req.headers['surrogate-key']).split(' '),
        proof: typeof proof === 'string' ? proof : undefined,
      })
      res.statusCode = status
      res.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/purge`
  })

  afterEach(async () => {
    await purge?.stop()
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })

  const open = (over: { againMs?: number; header?: readonly [string, string] } = {}): EdgePurge => {
    purge = new EdgePurge(
      { url, method: 'PURGE', header: undefined, againMs: 3_600_000, ...over },
      { logger: silentLogger },
    )
    return purge
  }

  it('sends the keys in one header, with the header that authenticates it', async () => {
    open({ header: ['fastly-key', 'secret'] }).purge(['t1:a:2026', 't1:all:2026'])
    await waitFor(() => told.length > 0)
    expect(told).toEqual([{ method: 'PURGE', keys: ['t1:a:2026', 't1:all:2026'], proof: 'secret' }])
  })

  it('is repeated until it succeeds, and includes keys that were added meanwhile', async () => {
    status = 503
    open().purge(['a'])
    await waitFor(() => told.length > 0)
    purge?.purge(['b'])
    status = 200
    await waitFor(() => told.slice(1).some(({ keys }) => keys.includes('b')))
    expect(new Set(told.slice(1).flatMap(({ keys }) => keys))).toEqual(new Set(['a', 'b']))
  })

  it('is repeated later, for answers that were on their way to the edge', async () => {
    open({ againMs: 20 }).purge(['a'])
    await waitFor(() => told.length === 2)
    expect(told.map(({ keys }) => keys)).toEqual([['a'], ['a']])
  })

  it('keeps headers short, and purges everything instead of too many keys', async () => {
    const keys = Array.from({ length: 450 }, (_, i) => `t1:${i}`)
    open().purge(keys)
    await waitFor(() => told.length === 3)
    expect(told.flatMap((one) => one.keys)).toEqual(keys)
    purge?.purge(Array.from({ length: 20_001 }, (_, i) => `t2:${i}`))
    await waitFor(() => told.length === 4)
    expect(told[3]?.keys).toEqual(['millrace'])
  })
})

const binary = findPurgeableEdge()
const withEdge = binary === undefined ? describe.skip : describe

withEdge('purging a real edge', () => {
  let gateway: Server
  let relay: Server
  let edge: Awaited<ReturnType<typeof startPurgeableEdge>>
  let purge: EdgePurge
  /** What the gateway says now, how often it was asked, and what holds its answers up. */
  let value: string
  let asked: number
  let letAnswer: Promise<unknown>
  /** The status of each purge, how many have come, and what holds all but the first up. */
  let purges: (number | undefined)[]
  let arrived: number
  let letNext: Promise<unknown>

  const listen = async (server: Server): Promise<string> => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const gate = (): { opened: Promise<void>; open: () => void } => {
    let open: () => void = () => undefined
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    return { opened, open }
  }

  beforeAll(async () => {
    gateway = createServer(async (req, res) => {
      const now = value
      asked++
      await letAnswer
      res.setHeader('cache-control', 'public, max-age=60, s-maxage=3600')
      res.setHeader('surrogate-key', `millrace t1 ${new URL(req.url ?? '', 'http://x').searchParams.get('key')}`)
      res.end(now)
    })
    edge = await startPurgeableEdge(binary as NonNullable<typeof binary>, await listen(gateway))
    // Passes on what it is sent as it is.
    relay = createServer(async (req, res) => {
      if (arrived++ > 0) await letNext
      const { method, headers } = req
      request(edge.origin, { method, headers }, (answer) => {
        purges.push(answer.statusCode)
        res.statusCode = answer.statusCode ?? 502
        answer.pipe(res)
      }).end()
    })
    const header = ['Purge-Token', 'change-me'] as const
    const url = await listen(relay)
    purge = new EdgePurge({ url, method: 'PURGE', header, againMs: 10 }, { logger: silentLogger })
  })
  beforeEach(() => {
    value = 'old'
    asked = 0
    purges = []
    letAnswer = Promise.resolve()
    arrived = 0
    letNext = Promise.resolve()
  })
  afterAll(async () => {
    await purge?.stop()
    await edge?.stop()
    for (const server of [gateway, relay]) {
      server?.closeAllConnections()
      server?.close()
    }
  })

  const ask = async (key: string) => {
    const answer = await fetch(`${edge.origin}/api/v1/query/top?key=${key}`, { headers: { authorization: 'Bearer a' } })
    return [await answer.text(), answer.headers.get('x-cache')]
  }

  it('removes the answers with its keys from a real edge, and no others', async () => {
    for (const key of ['a1', 'a1', 'b1', 'b1']) await ask(key)
    expect([await ask('a1'), await ask('b1'), asked]).toEqual([['old', 'HIT'], ['old', 'HIT'], 2])
    value = 'new'
    purge.purge(['a1', 'c1'])
    await waitFor(() => purges.length === 2)
    expect([await ask('a1'), await ask('b1'), purges]).toEqual([
      ['new', 'MISS'],
      ['old', 'HIT'],
      [200, 200],
    ])
  })

  it('removes an answer that the edge stored after the first purge', async () => {
    const [answering, purging] = [gate(), gate()]
    letAnswer = answering.opened
    const underWay = ask('a2')
    await waitFor(() => asked === 1)
    value = 'new'
    letNext = purging.opened
    purge.purge(['a2'])
    await waitFor(() => purges.length === 1)
    answering.open()
    expect([await underWay, await ask('a2')]).toEqual([
      ['old', 'MISS'],
      ['old', 'HIT'],
    ])
    purging.open()
    await waitFor(async () => (await ask('a2'))[0] === 'new')
  })

  it('is accepted by a real edge with as many keys as one request can have, all of maximum length', async () => {
    purge.purge(Array.from({ length: 200 }, (_, i) => `t2147483647:${String(i).padStart(12, 'x')}:2026-11-21`))
    await waitFor(() => purges.length > 1)
    expect(new Set(purges)).toEqual(new Set([200]))
  })
})
