import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import type { ClientContext } from '../config.js'
import { truncateAddress } from '../events/truncate-address.js'
import { createReadRequestClient } from './request-client.js'

const page = { origin: 'https://shop.example', 'user-agent': 'Firefox' }

function read(
  headers: IncomingHttpHeaders,
  {
    clientContext = 'browsers' as ClientContext,
    trustsProxy = false,
    truncatesIp = false,
    isImage = false,
    from = '192.0.2.7',
  } = {},
) {
  const readRequestClient = createReadRequestClient({ clientContext, trustsProxy, truncatesIp })
  return readRequestClient({ headers, socket: { remoteAddress: from } }, isImage)
}

describe('the device of a request', () => {
  it.each<[string, IncomingHttpHeaders, boolean, boolean]>([
    ['a page of another site', { origin: 'https://shop.example' }, false, true],
    ['a page without an origin', { origin: 'null' }, false, true],
    ['a page of the same site', { 'sec-fetch-site': 'same-origin' }, false, true],
    ['an image', {}, true, true],
    ['a server', { 'user-agent': 'analytics-node' }, false, false],
    ['fetch of Node', { 'sec-fetch-mode': 'cors', 'user-agent': 'node' }, false, false],
  ])('is that of the user if the request comes from a browser: %s', (_name, headers, isImage, isBrowser) => {
    expect(read(headers, { isImage }) !== undefined).toBe(isBrowser)
    expect(read(headers, { isImage, clientContext: 'all' })).toBeDefined()
    expect(read(headers, { isImage, clientContext: 'off' })).toBeUndefined()
  })

  it.each([
    ['10.1.2.3', undefined, false, '10.1.2.3'],
    ['::ffff:10.1.2.3', undefined, false, '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9', false, '10.1.2.3'],
    ['10.1.2.3', '203.0.113.9', true, '203.0.113.9'],
    ['10.1.2.3', '203.0.113.9, 198.51.100.1', true, '203.0.113.9'],
    ['10.1.2.3', '203.0.113.9:4711', true, '203.0.113.9'],
    ['10.1.2.3', '[2001:db8::1]:443', true, '2001:db8::1'],
    ['10.1.2.3', '2001:db8::1', true, '2001:db8::1'],
    ['10.1.2.3', 'unknown', true, '10.1.2.3'],
    ['10.1.2.3', '', true, '10.1.2.3'],
    ['10.1.2.3', undefined, true, '10.1.2.3'],
  ])(
    'has the address of the connection %s, or of X-Forwarded-For %s if the proxy is trusted (%s): %s',
    (from, forwarded, trustsProxy, ip) => {
      const headers = { ...page, ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) }
      expect(read(headers, { from, trustsProxy })?.ip).toBe(ip)
    },
  )

  it('has a truncated address if the setting says so', () => {
    expect(read({ ...page, 'x-forwarded-for': '203.0.113.9' }, { trustsProxy: true, truncatesIp: true })?.ip).toBe(
      '203.0.113.0',
    )
  })

  it('has a user agent of limited length, or none', () => {
    expect(read({ ...page, 'user-agent': 'x'.repeat(5000) })?.userAgent).toHaveLength(512)
    expect(read({ origin: 'null' })?.userAgent).toBeUndefined()
    expect(read({ origin: 'null', 'user-agent': '' })?.userAgent).toBeUndefined()
  })
})

describe('a truncated address', () => {
  it.each([
    ['203.0.113.9', '203.0.113.0'],
    ['::ffff:203.0.113.9', '203.0.113.0'],
    ['2001:db8:85a3:8d3:1319:8a2e:370:7348', '2001:db8:85a3::'],
    ['2001:DB8::1', '2001:db8:0::'],
    ['2001:db8:1:2::', '2001:db8:1::'],
    ['::1', '::'],
    ['64:ff9b::192.0.2.33', '64:ff9b:0::'],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3::'],
    ['fe80::1%eth0', 'fe80:0:0::'],
    ['not an address', 'not an address'],
    ['', ''],
  ])('of %j is %j', (address, truncated) => {
    expect(truncateAddress(address)).toBe(truncated)
  })
})
