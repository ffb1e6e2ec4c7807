import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { refuseRepeatedKeys } from './repeated-keys.js'

describe('a JSON body with a repeated key', () => {
  it.each([
    ['{"a":1,"a":2}', 'a'],
    ['{"a":{"b":[{"c":1,"d":{},"c":2}]}}', 'c'],
    ['{"a":1,"\\u0061":2}', 'a'],
    ['{"a\\"b":1,"x":"a\\"b","a\\"b":2}', 'a"b'],
    ['{"a":[],"b":{},"a":[]}', 'a'],
    ['{"":1,"":2}', ''],
    ['{"__proto__":1,"__proto__":2}', '__proto__'],
  ])('is refused: %s', (json, field) => {
    let refused: unknown
    try {
      refuseRepeatedKeys(json)
    } catch (error) {
      refused = error
    }
    expect(refused).toMatchObject({ code: 'INVALID_REQUEST', details: { field } })
  })

  it.each(['', '{', '"', '{"a', '{"a":1', '{"a":"a","b":"a"}', '[{"a":1},{"a":1}]', '{"a":{"a":{"a":1}}}', '}}]],'])(
    'is not seen in %s',
    (json) => {
      expect(() => refuseRepeatedKeys(json)).not.toThrow()
    },
  )

  it('is never seen in what JSON.stringify writes', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => refuseRepeatedKeys(JSON.stringify(value))))
  })
})
