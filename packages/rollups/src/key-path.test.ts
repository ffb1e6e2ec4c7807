import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { formatKeyPath, parseKeyPath } from './key-path.js'

describe('a path to a value inside a JSON column', () => {
  it.each([
    ['properties.flight.carrier', ['flight', 'carrier'], 'properties.flight.carrier'],
    ['properties["a.b"].c', ['a.b', 'c'], 'properties["a.b"].c'],
    ['properties["flight"]["carrier"]', ['flight', 'carrier'], 'properties.flight.carrier'],
    ['properties.items[0].sku', ['items', '0', 'sku'], 'properties.items.0.sku'],
    ['properties["0"]', ['0'], 'properties.0'],
    ['properties["-1"]', ['-1'], 'properties["-1"]'],
    ['properties["a[0]"]', ['a[0]'], 'properties["a[0]"]'],
    ['properties["say \\"]\\""]', ['say "]"'], 'properties["say \\"]\\""]'],
    ['properties["\\u00e9\\u002e"]', ['é.'], 'properties["é."]'],
    ['properties.a"b', ['a"b'], 'properties.a"b'],
    ['properties["a\\"b"]', ['a"b'], 'properties.a"b'],
    ['properties.two words', ['two words'], 'properties.two words'],
  ])('the path %s has one canonical text and the keys that it says', (path, keys, canonical) => {
    const parsed = parseKeyPath(path)
    expect(parsed).toEqual({ root: 'properties', keys })
    expect(typeof parsed === 'string' ? parsed : formatKeyPath(parsed)).toBe(canonical)
  })

  it.each([
    ['properties', 'it names no key below properties'],
    ['properties.', 'it has an empty part'],
    ['properties..a', 'it has an empty part'],
    ['properties.["a"]', 'it has an empty part'],
    ['properties[""]', 'it has an empty part'],
    ['properties["a', 'a quoted key must end with "]'],
    ['properties["a"', 'a quoted key must end with "]'],
    ['properties["a\\q"]', '"a\\q" is not a JSON string'],
    ['properties["a\\u0000"]', 'a key has a character that cannot be stored'],
    ['properties["a\\ud800"]', 'a key has a character that cannot be stored'],
    ['properties.-1', '-1 is not an index'],
    ['properties.a[-1]', '-1 is not an index'],
    ['properties.a[01]', 'as a JSON string in brackets'],
    ['properties.a[]', 'as a JSON string in brackets'],
    ['properties.a]', 'as a JSON string in brackets'],
    ['properties."a.b"', 'as a JSON string in brackets'],
    ["properties['a.b']", 'as a JSON string in brackets'],
    ['properties["a"]b', 'as a JSON string in brackets'],
  ])('the path %s is rejected with the reason', (path, reason) => {
    expect(parseKeyPath(path)).toEqual(expect.stringContaining(reason))
  })

  it('every list of keys can be written as a path, which is parsed back to the same keys', () => {
    const key = fc
      .oneof(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.constantFrom('a.b', 'a[0]', '["x"]', '"', '\\', ']', '-1', '0'),
      )
      .filter((one) => one.isWellFormed() && !one.includes('\0'))
    fc.assert(
      fc.property(fc.array(key, { minLength: 1, maxLength: 5 }), (keys) => {
        const path = { root: 'context', keys }
        expect(parseKeyPath(formatKeyPath(path))).toEqual(path)
        const quoted = `context${keys.map((one) => `[${JSON.stringify(one)}]`).join('')}`
        expect(parseKeyPath(quoted)).toEqual(path)
      }),
      { numRuns: propertyRuns(700) },
    )
  })
})
