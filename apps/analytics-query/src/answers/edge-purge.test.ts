import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { waitFor } from '@millrace/testing'
import { EdgePurge } from './edge-purge.js'

describe('purging an edge', () => {
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

  it('names the keys in one header and proves who asks', async () => {
    open({ header: ['fastly-key', 'secret'] }).purge(['t1:a:2026', 't1:all:2026'])
    await waitFor(() => told.length > 0)
    expect(told).toEqual([{ method: 'PURGE', keys: ['t1:a:2026', 't1:all:2026'], proof: 'secret' }])
  })

  it('is done again until the edge has taken it, and nothing that was asked for meanwhile is forgotten', async () => {
    status = 503
    open().purge(['a'])
    await waitFor(() => told.length > 0)
    purge?.purge(['b'])
    status = 200
    await waitFor(() => told.slice(1).some(({ keys }) => keys.includes('b')))
    expect(new Set(told.slice(1).flatMap(({ keys }) => keys))).toEqual(new Set(['a', 'b']))
  })

  it('is done once more later, for an answer that was on its way meanwhile', async () => {
    open({ againMs: 20 }).purge(['a'])
    await waitFor(() => told.length === 2)
    expect(told.map(({ keys }) => keys)).toEqual([['a'], ['a']])
  })

  it('keeps headers short, and names everything rather than too many', async () => {
    const keys = Array.from({ length: 450 }, (_, i) => `t1:${i}`)
    open().purge(keys)
    await waitFor(() => told.length === 3)
    expect(told.flatMap((one) => one.keys)).toEqual(keys)
    purge?.purge(Array.from({ length: 20_001 }, (_, i) => `t2:${i}`))
    await waitFor(() => told.length === 4)
    expect(told[3]?.keys).toEqual(['millrace'])
  })
})
