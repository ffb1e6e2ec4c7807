import { describe, expect, it } from '@jest/globals'
import { createMasker } from './masker.js'

const masker = createMasker({ fieldNames: ['iban'], limits: { depth: 8, items: 200, textLength: 32_768 } })

describe('a masked object', () => {
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
  ])('never shows the value of the field %s', (name) => {
    expect(masker.value({ [name]: 'hunter2', nested: [{ [name]: { deep: 'hunter2' } }] })).toEqual({
      [name]: '[masked]',
      nested: [{ [name]: '[masked]' }],
    })
  })

  it('has its texts, large numbers and keys masked at every depth', () => {
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

  it('keeps the code and the chain of causes of an error', () => {
    const root = Object.assign(new Error('connect to bob@example.com'), { code: 'ECONNREFUSED' })
    const error = new Error('appending the batch', { cause: new Error('sending', { cause: root }) })
    expect(masker.value(error)).toMatchObject({
      name: 'Error',
      message: 'appending the batch',
      stack: expect.stringContaining('mask-value.test'),
      cause: { message: 'sending', cause: { message: 'connect to [email]', code: 'ECONNREFUSED' } },
    })
  })

  it('is made of any value without throwing, and no larger than its limits allow', () => {
    const circular: Record<string, unknown> = { a: 1 }
    circular.self = circular
    let deep: unknown = 'end'
    for (let i = 0; i < 50_000; i++) deep = [deep]
    const hostile = {
      circular,
      deep,
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
    expect(text).toContain('"[deep]"')
    expect(text).toContain('"throws":"[unreadable]"')
    expect(text).toContain('"bytes":"[12 bytes]"')
    expect(text).toContain('"json":"[secret]"')
    expect(text.length).toBeLessThan(40_000)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })
})
