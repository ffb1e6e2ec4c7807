import { describe, expect, it } from '@jest/globals'
import { generateApiKey, hashApiKey, hintOf } from './api-key.js'
import { parseAuthorization } from './parse-authorization.js'

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`

describe('the Authorization header', () => {
  it.each([
    ['Bearer mr_x', 'mr_x'],
    ['bearer  mr_x ', 'mr_x'],
    [basic('mr_x:'), 'mr_x'],
    [basic('mr_x:secret'), 'mr_x'],
    [basic('mr_x'), 'mr_x'],
    ['Basic bXJfeA', 'mr_x'],
  ])('%s contains an API key', (header, key) => {
    expect(parseAuthorization(header)).toBe(key)
  })

  it.each(['mr_x', 'Digest mr_x', 'Bearer', 'Bearer ', basic(':mr_x'), `Bearer ${'x'.repeat(600)}`, 'Bearer a b'])(
    '%s contains no API key',
    (header) => {
      expect(parseAuthorization(header)).toBeUndefined()
    },
  )
})

describe('a new API key', () => {
  it('has 256 random bits and a hint of at most a third of its length', () => {
    const [first, second] = [generateApiKey(), generateApiKey()]
    expect(first).toMatch(/^mr_[\w-]{43}$/)
    expect(first).not.toBe(second)
    expect(hashApiKey(first)).toHaveLength(32)
    expect(hintOf(first)).toBe(`${first.slice(0, 7)}…`)
    expect(hintOf('mr_write_dev')).toBe('mr_w…')
  })
})
