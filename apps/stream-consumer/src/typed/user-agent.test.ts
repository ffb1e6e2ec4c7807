import { describe, expect, it } from '@jest/globals'
import { createReadUserAgent } from './user-agent.js'

describe('the user agent parser', () => {
  const read = createReadUserAgent()

  it.each(['nonsense', '-', ' ', 'unknown', 'unknown/1.0', 'Mozilla', 'é', '\0', '(;)', '/', '/ (x)', 'a'.repeat(40)])(
    'gives null and no empty name for what the user agent %j does not name',
    (userAgent) => {
      for (const name of Object.values(read(userAgent))) {
        expect(name).not.toBe('')
        expect(name?.trim()).toBe(name ?? undefined)
        expect(name).not.toBe('unknown')
      }
    },
  )

  it('gives null for everything when there is no user agent', () => {
    const nothing = { deviceType: null, browser: null, browserVersion: null, os: null, osVersion: null }
    expect(read(null)).toEqual(nothing)
    expect(read('')).toEqual(nothing)
    expect(read('nonsense')).toEqual(nothing)
  })
})
