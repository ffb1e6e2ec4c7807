import { describe, expect, it } from '@jest/globals'
import { generateApiKey, hashApiKey, hintOf } from './api-key.js'
import { parseAuthorization } from './parse-authorization.js'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('parseAuthorization', () => {
  it.each([
    ['Bearer mr_x', 'mr_x'],
    ['bearer  mr_x ', 'mr_x'],
    [basic('mr_x:'), 'mr_x'],
    [basic('mr_x:secret'), 'mr_x'],
    [basic('mr_x'), 'mr_x'],
    ['Basic bXJfeA', 'mr_x'],
  ])('finds the key in %s', (header, key) => {
    expect(parseAuthorization(header)).toBe(key)
  })

  it.each(['mr_x', 'Digest mr_x', 'Bearer', 'Bearer ', basic(':mr_x'), `Bearer ${'x'.repeat(600)}`, 'Bearer a b'])(
    'finds none in %s',
    (header) => {
      expect(parseAuthorization(header)).toBeUndefined()
    },
  )
})

describe('api keys', () => {
  it('are 256 random bits, told apart by a hint that gives little away', () => {
    const [first, second] = [generateApiKey(), generateApiKey()]
    expect(first).toMatch(/^mr_[\w-]{43}$/)
    expect(first).not.toBe(second)
    expect(hashApiKey(first)).toHaveLength(32)
    expect(hintOf(first)).toBe(`${first.slice(0, 7)}…`)
    expect(hintOf('mr_write_dev')).toBe('mr_w…')
  })
})
