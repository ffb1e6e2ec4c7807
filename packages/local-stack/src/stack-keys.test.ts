import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { describeKeys } from './stack-keys.js'

const keys = { writeKey: 'mr_w', adminKey: 'mr_a' }
let server: Server
let url: string
/** What the gateway answers to each key. */
let statuses: Record<string, number>

beforeEach(async () => {
  statuses = { mr_w: 200, mr_a: 200 }
  server = createServer((req, res) => {
    res.statusCode = statuses[(req.headers.authorization ?? '').replace('Bearer ', '')] ?? 401
    req.resume().on('end', () => res.end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const read = async () => {
  const lines = await describeKeys({ url, ...keys })
  return { keys: lines.keys.join('\n'), tries: lines.tries.join('\n') }
}

describe('what npm start prints about keys', () => {
  it('is the keys and a command for each while the gateway accepts them or cannot say', async () => {
    const all = await read()
    expect(all.keys).toBe('  write key   mr_w\n  admin key   mr_a')
    expect(all.tries).toMatch(/curl -u mr_w:.*\n.*curl -H 'authorization: Bearer mr_a'/)
    statuses = { mr_w: 400, mr_a: 503 }
    expect(await read()).toEqual(all)
    server.closeAllConnections()
    server.close()
    expect(await read()).toEqual(all)
  })

  it.each([
    [401, 'mr_a was revoked or has expired'],
    [403, 'mr_a lacks the scope for its use'],
  ])(
    'says what to do when the gateway answers %i to the admin key, and shows no command with it',
    async (status, words) => {
      statuses.mr_a = status
      const { keys: text, tries } = await read()
      expect(text).toContain(words)
      expect(text).toContain('npm run tenants -- admin-key default')
      expect(text).toContain('BOOTSTRAP_ADMIN_KEY')
      expect(text).not.toContain('BOOTSTRAP_WRITE_KEY')
      expect(tries).toContain('mr_w')
      expect(tries).not.toContain('mr_a')
    },
  )

  it('says what to do when the gateway refuses the write key, and shows no command with it', async () => {
    statuses.mr_w = 401
    const { keys: text, tries } = await read()
    expect(text).toContain('mr_w was revoked or has expired')
    expect(text).toContain('BOOTSTRAP_WRITE_KEY')
    expect(tries).not.toContain('mr_w')
  })
})
