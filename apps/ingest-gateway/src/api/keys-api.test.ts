import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

/** Who asked, for the audit entry. */
const origin = { actor: 'key:k1', ip: '127.0.0.1', userAgent: 'node' }

describe('keys', () => {
  it('are created, listed, rotated and revoked for the tenant of the caller', async () => {
    expect((await api.ask('GET', '/api/v1/keys')).body).toEqual({
      data: [
        {
          id: '3',
          name: 'n',
          hint: 'mr_…',
          scopes: ['write'],
          created_at: '1970-01-01T00:00:00.000Z',
          expires_at: null,
          revoked_at: null,
        },
      ],
    })
    const made = await api.ask('POST', '/api/v1/keys', 'a', {
      name: 'shop',
      scopes: ['write', 'read'],
      expires_at: '2100-01-01T00:00:00Z',
    })
    expect([made.status, made.body?.key]).toEqual([201, 'mr_new'])
    expect((await api.ask('POST', '/api/v1/keys/3/rotate', 'a', { overlap_seconds: 60 })).body).toMatchObject({
      id: '4',
      key: 'mr_next',
    })
    expect((await api.ask('POST', '/api/v1/keys/3/rotate')).status).toBe(201)
    expect((await api.ask('DELETE', '/api/v1/keys/3')).status).toBe(204)
    expect((await api.ask('DELETE', '/api/v1/keys/3?confirm=self,expiry')).status).toBe(204)
    const request = {
      tenantId: 7,
      name: 'shop',
      scopes: ['write', 'read'],
      expiresAt: new Date('2100-01-01T00:00:00Z'),
      origin,
    }
    expect(api.calls).toEqual([
      ['list', 7],
      ['create', request],
      ['rotate', 7, '3', { overlapMs: 60_000, callerId: 'k1', confirmed: [], origin }],
      ['rotate', 7, '3', { overlapMs: undefined, callerId: 'k1', confirmed: [], origin }],
      ['revoke', 7, '3', { callerId: 'k1', confirmed: [], origin }],
      ['revoke', 7, '3', { callerId: 'k1', confirmed: ['self', 'expiry'], origin }],
    ])
  })

  it.each([
    {},
    { scopes: [] },
    { scopes: ['root'] },
    { scopes: ['write'], name: 5 },
    { scopes: ['write'], expires_at: 'soon' },
    { scopes: ['write'], expires_at: '' },
    { scopes: ['write'], expires_at: ' ' },
    { scopes: ['write'], expires_at: '2020-01-01T00:00:00Z' },
    { scopes: ['write'], expiresAt: '2100-01-01T00:00:00Z' },
  ])('are not created from the invalid request %j', async (body) => {
    expect((await api.ask('POST', '/api/v1/keys', 'a', body)).status).toBe(400)
    expect(api.calls).toEqual([])
  })

  it.each([
    ['POST', '/api/v1/keys/3/rotate', { overlap_seconds: '' }],
    ['POST', '/api/v1/keys/3/rotate', { overlap_seconds: -1 }],
    ['POST', '/api/v1/keys/3/rotate', { overlapSeconds: 0 }],
    ['POST', '/api/v1/keys/3/rotate?confirm=yes', {}],
    ['DELETE', '/api/v1/keys/3?confirm=everything', undefined],
    ['DELETE', '/api/v1/keys/3?confirm=self,', undefined],
  ])('are not changed by the invalid request %s %s %j', async (method, path, body) => {
    expect((await api.ask(method, path, 'a', body)).status).toBe(400)
    expect(api.calls).toEqual([])
  })

  it('are replaced with the default overlap when the request has none, also as null', async () => {
    expect((await api.ask('POST', '/api/v1/keys/3/rotate', 'a', { overlap_seconds: null })).status).toBe(201)
    expect(api.calls).toEqual([['rotate', 7, '3', { overlapMs: undefined, callerId: 'k1', confirmed: [], origin }]])
  })
})
