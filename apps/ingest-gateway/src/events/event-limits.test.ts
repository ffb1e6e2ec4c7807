import { describe, expect, it } from '@jest/globals'
import { acceptBody, testLimits } from '../testing/open-acceptor.js'

const event = { event: 'A', userId: 'u' }
const withBytes = (bytes: number) => {
  const filled = { ...event, properties: { a: '' } }
  filled.properties.a = 'x'.repeat(bytes - JSON.stringify(filled).length)
  return filled
}
/** event, userId and properties are keys too. */
const withKeys = (keys: number) => ({
  ...event,
  properties: Object.fromEntries(Array.from({ length: keys - 3 }, (_, i) => [`k${i}`, i])),
})
/** The event and its properties are two levels. */
const withDepth = (depth: number) => {
  let value: unknown = {}
  for (let level = 3; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return { ...event, properties: { a: value } }
}
const { eventBytesMax, keysMax, depthMax } = testLimits

describe('a limit of an event', () => {
  it.each([
    [
      'bytes',
      withBytes,
      eventBytesMax,
      'event_too_large',
      'the event has 2001 bytes, and at most 2000 are allowed (EVENT_BYTES_MAX)',
    ],
    ['keys', withKeys, keysMax, 'too_many_keys', 'the event has 31 keys, and at most 30 are allowed (EVENT_KEYS_MAX)'],
    [
      'levels',
      withDepth,
      depthMax,
      'nested_too_deep',
      'the event has 9 levels of nesting, and at most 8 are allowed (EVENT_DEPTH_MAX)',
    ],
  ] as const)(
    'of %s accepts what is at the limit, and says by how much an event is over it',
    (_name, create, limit, code, reason) => {
      const { acceptance } = acceptBody([create(limit), create(limit + 1)], { path: '/v1/events' })
      expect(acceptance).toMatchObject({ accepted: 1, rejected: [{ index: 1, code, reason }] })
    },
  )

  it('counts the context of the batch, and says so', () => {
    const batch = [event]
    const { acceptance } = acceptBody({ batch, context: { a: 'x'.repeat(1980) } }, { path: '/v1/batch' })
    expect(acceptance.rejected[0]?.reason).toMatch(
      /^with the context of its batch the event has \d+ bytes, and at most 2000 are allowed \(EVENT_BYTES_MAX\)$/,
    )
  })
})
