import { describe, expect, it } from '@jest/globals'
import { createMasker } from './masker.js'

const masker = createMasker(['iban'])

describe('masking of values', () => {
  it.each([
    'password',
    'Password',
    'userPassword',
    'x-api-key',
    'apiKey',
    'api_key',
    'Authorization',
    'refresh_token',
    'set-cookie',
    'iban',
    'client_secret',
  ])('never lets the value of a named field through: %s', (name) => {
    expect(masker.value({ [name]: 'hunter2', nested: [{ [name]: { deep: 'hunter2' } }] })).toEqual({
      [name]: '[masked]',
      nested: [{ [name]: '[masked]' }],
    })
  })

  it('finds named fields inside texts', () => {
    expect(masker.text('login with password=hunter2&user=1')).toBe('login with password=[masked]&user=1')
    expect(masker.text('{"token":"abc","n":1}')).toBe('{"token":"[masked]","n":1}')
  })

  it('masks texts, big numbers and keys wherever they are', () => {
    const value = {
      list: ['bob@example.com'],
      map: new Map([['bob@example.com', 4111111111111111]]),
      n: 1732178763000,
      at: new Date(0),
    }
    expect(masker.value(value)).toEqual({
      list: ['[email]'],
      map: { '[email]': '[card]' },
      n: 1732178763000,
      at: '1970-01-01T00:00:00.000Z',
    })
  })

  it('keeps code and the chain of causes of an error', () => {
    const root = Object.assign(new Error('connect to bob@example.com'), { code: 'ECONNREFUSED' })
    const error = new Error('appending the batch', { cause: new Error('sending', { cause: root }) })
    expect(masker.value(error)).toMatchObject({
      name: 'Error',
      message: 'appending the batch',
      stack: expect.stringContaining('masker.test'),
      cause: { message: 'sending', cause: { message: 'connect to [email]', code: 'ECONNREFUSED' } },
    })
  })

  it('survives whatever it is given', () => {
    const circular: Record<string, unknown> = { a: 1 }
    circular.self = circular
    const hostile = {
      circular,
      throws: Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no')
        },
      }),
      bytes: Buffer.from('secret bytes'),
      fn: () => 1,
      symbol: Symbol('x'),
      big: 10n,
      nan: Number.NaN,
      long: 'x'.repeat(100_000),
      wide: Array.from({ length: 1_000 }, (_, i) => i),
      json: { toJSON: () => '[secret]' },
      badDate: new Date(Number.NaN),
      proto: JSON.parse('{"__proto__":{"polluted":1}}') as unknown,
    }
    const text = JSON.stringify(masker.value(hostile))
    expect(text).toContain('"self":"[circular]"')
    expect(text).toContain('"throws":"[unreadable]"')
    expect(text).toContain('"bytes":"[12 bytes]"')
    expect(text).toContain('"json":"[secret]"')
    expect(text.length).toBeLessThan(40_000)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})
