import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

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
      expires_at: '2027-01-01T00:00:00Z',
    })
    expect([made.status, made.body?.key]).toEqual([201, 'mr_new'])
    expect((await api.ask('POST', '/api/v1/keys/3/rotate', 'a', { overlap_seconds: 60 })).body).toMatchObject({
      id: '4',
      key: 'mr_next',
    })
    expect((await api.ask('POST', '/api/v1/keys/3/rotate')).status).toBe(201)
    expect((await api.ask('DELETE', '/api/v1/keys/3')).status).toBe(204)
    const request = {
      tenantId: 7,
      name: 'shop',
      scopes: ['write', 'read'],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
    }
    expect(api.calls).toEqual([
      ['list', 7],
      ['create', request],
      ['rotate', 7, '3', 60_000],
      ['rotate', 7, '3', undefined],
      ['revoke', 7, '3'],
    ])
  })

  it.each([
    {},
    { scopes: [] },
    { scopes: ['root'] },
    { scopes: ['write'], name: 5 },
    { scopes: ['write'], expires_at: 'soon' },
  ])('are not created from the invalid request %j', async (body) => {
    expect((await api.ask('POST', '/api/v1/keys', 'a', body)).status).toBe(400)
    expect(api.calls).toEqual([])
  })
})
