import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { hashApiKey, KeyManager } from '@millrace/auth'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { createProbe } from '../src/probe/probe.js'
import { createProbeKeys, PROBE_TENANT } from '../src/probe/probe-keys.js'
import { createProbeTarget } from '../src/probe/probe-target.js'

describe('the path of a synthetic event', () => {
  let test: TestDatabase
  let database: Database
  let gateway: Server
  let gatewayUrl: string
  const seen: { method: string; url: string; tenant: string | undefined; scopes: unknown; body: string }[] = []
  let refusals = 0

  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    gateway = createServer(async (req, res) => {
      let body = ''
      for await (const chunk of req) body += String(chunk)
      if (refusals > 0) {
        refusals--
        res.writeHead(401).end()
        return
      }
      const key = (req.headers.authorization ?? '').replace('Bearer ', '')
      const { rows } = await database.query<{ name: string; scopes: string[] }>(
        'select t.name, k.scopes from api_keys k join tenants t on t.id = k.tenant_id where k.key_hash = $1 and k.expires_at > now()',
        [hashApiKey(key)],
      )
      seen.push({ method: req.method ?? '', url: req.url ?? '', tenant: rows[0]?.name, scopes: rows[0]?.scopes, body })
      res.end(
        req.method === 'POST' ? '{"success":true,"accepted":1,"receipt":"abc"}' : '{"state":"settled","stored":1}',
      )
    })
    await new Promise<void>((resolve) => gateway.listen(0, '127.0.0.1', resolve))
    gatewayUrl = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    gateway.closeAllConnections()
    gateway.close()
    await database.close()
    await test.release()
  })

  it('a synthetic event is sent with a key of its own tenant, is found by user and message id, and gets a new key after a refusal', async () => {
    const asked: unknown[] = []
    const analytics = {
      listEvents: async (request: object, options: object = {}) => {
        asked.push({ ...request, ...options })
        return { eventsJson: ['{}'], nextCursor: '' }
      },
    }
    const keys = createProbeKeys({ keys: new KeyManager({ database, actor: 'test' }), now: () => Date.now() })
    const probe = createProbe({ timeoutMs: 60_000 }, createProbeTarget({ gatewayUrl }, { keys, analytics }))
    const { tenantId } = await keys.current()
    expect((await probe(new AbortController().signal)).failure).toBeUndefined()
    expect(seen.map(({ method, url, tenant }) => [method, url, tenant])).toEqual([
      ['POST', '/v1/events', PROBE_TENANT],
      ['GET', '/v1/receipts/abc', PROBE_TENANT],
    ])
    expect(seen[0]?.scopes).toEqual(['write', 'read'])
    const [event] = JSON.parse(seen[0]?.body ?? '') as [Record<string, unknown>]
    expect(event).toMatchObject({ type: 'track', event: '$probe', userId: 'probe-0' })
    expect(asked).toEqual([
      expect.objectContaining({ messageId: event.messageId, userId: 'probe-0', tenant: String(tenantId) }),
    ])

    refusals = 1
    expect((await probe(new AbortController().signal)).failure).toMatchObject({ hop: 'accepted' })
    expect((await probe(new AbortController().signal)).failure).toBeUndefined()
  })

  it('instances that start at the same time create one tenant for synthetic events', async () => {
    await database.query('delete from api_keys')
    await database.query('delete from tenants')
    const instances = [1, 2, 3].map(() =>
      createProbeKeys({ keys: new KeyManager({ database, actor: 'test' }), now: () => Date.now() }),
    )
    const tenants = await Promise.all(instances.map(async (keys) => (await keys.current()).tenantId))
    expect(new Set(tenants).size).toBe(1)
  })
})
