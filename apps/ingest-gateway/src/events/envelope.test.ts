import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { acceptBody, TEST_NOW } from '../testing/open-acceptor.js'

type Json = { readonly [key: string]: unknown }

function take(body: unknown, path = '/v1/batch', options?: Parameters<typeof acceptBody>[2]) {
  return acceptBody(body, { path }, options)
}
const contextsOf = (body: unknown, path?: string) =>
  take(body, path).records.map(({ context }) => (context === null ? null : (JSON.parse(context) as unknown)))

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What the context of an event must be, computed from parsed JSON. */
function merged(base: unknown, own: unknown): unknown {
  if (!isObject(base)) return own
  if (!isObject(own)) return own === undefined || own === null ? base : own
  return mergedObjects(base, own)
}

function mergedObjects(base: Json, own: Json): Json {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(own)) {
    const below = Object.hasOwn(base, key) ? base[key] : undefined
    result[key] = isObject(below) && isObject(value) ? mergedObjects(below, value) : value
  }
  return result
}

const text = fc.oneof(fc.constantFrom('a', 'é"\\', '😀', ''), fc.string({ maxLength: 5, unit: 'binary-ascii' }))
const key = fc.constantFrom('a', 'b', 'app', 'ünicode', 'x"y', '')
const leaf = fc.oneof(
  text,
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
)
const { object } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    tie('object'),
    fc.array(tie('value'), { maxLength: 2 }),
  ),
  object: fc.dictionary(key, tie('value'), { maxKeys: 4 }),
}))
const context = fc.oneof(object, fc.constantFrom({}, null, undefined))
const id = fc.constantFrom('u-1', 'z"ü', '', null, undefined)
const fields = { userId: id, anonymousId: id, context }

/** JSON with space in every place where space may be. */
const spaced = (value: unknown) => JSON.stringify(value, undefined, 1)

describe('the envelope of a request', () => {
  it('gives its context to every event, as merging parsed JSON would, and the event wins', () => {
    fc.assert(
      fc.property(
        fc.record(fields),
        fc.array(fc.record(fields), { minLength: 1, maxLength: 4 }),
        fc.constantFrom(JSON.stringify, spaced),
        fc.boolean(),
        fc.constantFrom('/v1/batch', '/v1/events'),
        (envelope, events, write, isListFirst, path) => {
          const batch = events.map((event, i) => ({ type: 'track', event: `E${i}`, ...event }))
          // Control characters below U+0001 are rejected, which other tests cover.
          const body = write(isListFirst ? { batch, ...envelope } : { ...envelope, batch }).replaceAll(
            '\\u0000',
            '\\u0001',
          )
          const parsed = JSON.parse(body) as typeof envelope & { batch: typeof batch }
          const wanted = parsed.batch.flatMap(({ event, ...one }) => {
            const userId = one.userId || parsed.userId || null
            const anonymousId = one.anonymousId || parsed.anonymousId || null
            if (userId === null && anonymousId === null) return []
            return [{ event, userId, anonymousId, context: merged(parsed.context, one.context) ?? null }]
          })
          const limits = { eventBytesMax: 1e6, keysMax: 1e6, depthMax: 1000, inheritedBytesMax: 1e6 }
          const { records } = take(body, path, { limits })
          const seen = records
            .map(({ event, userId, anonymousId, context: stored }) => ({
              event,
              userId,
              anonymousId,
              context: stored === null ? null : (JSON.parse(stored) as unknown),
            }))
            .sort((a, b) => (a.event < b.event ? -1 : 1))
          expect(seen).toEqual(wanted)
        },
      ),
      { numRuns: 500 },
    )
  })

  it.each([
    ['absent', undefined, { ip: '::1', app: { name: 'shop' } }],
    ['null', null, { ip: '::1', app: { name: 'shop' } }],
    ['empty', {}, { ip: '::1', app: { name: 'shop' } }],
    ['about something else', { locale: 'de' }, { ip: '::1', app: { name: 'shop' }, locale: 'de' }],
    ['about the same', { ip: '::2', app: { name: 'app' } }, { ip: '::2', app: { name: 'app' } }],
    ['about a part of an object', { app: { build: 1 } }, { ip: '::1', app: { name: 'shop', build: 1 } }],
    ['without an address on purpose', { ip: null }, { ip: null, app: { name: 'shop' } }],
    ['of another type', { app: 'x' }, { ip: '::1', app: 'x' }],
  ])('gives its context to an event whose own context is %s', (_name, own, wanted) => {
    const envelope = { ip: '::1', app: { name: 'shop' } }
    expect(contextsOf({ context: envelope, batch: [{ event: 'A', userId: 'u', context: own }] })).toEqual([wanted])
  })

  it('merges a context with very many keys', () => {
    const envelope = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`é${i}`, { base: i }]))
    const own = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`é${299 - i}`, { own: i }]))
    const options = { limits: { eventBytesMax: 1e6, keysMax: 1e6, inheritedBytesMax: 1e6 } }
    const { records } = take(
      { context: envelope, batch: [{ event: 'A', userId: 'u', context: own }] },
      '/v1/batch',
      options,
    )
    expect(JSON.parse(records[0]?.context ?? '')).toEqual(mergedObjects(envelope, own))
  })

  it('does not change how numbers are written when contexts are merged', () => {
    const { records } = take(
      '{"context":{"a":{"n":1.50}},"batch":[{"event":"A","userId":"u","context":{"a":{"m":12345678901234567890}}}]}',
    )
    expect(records[0]?.context).toBe('{"a":{"n":1.50,"m":12345678901234567890}}')
  })

  it.each([
    ['timestamp', { timestamp: '2026-11-21T07:00:00Z' }],
    ['originalTimestamp', { originalTimestamp: '2026-11-21T07:00:00Z' }],
  ])('gives its %s to events without a time of their own', (_name, envelope) => {
    const { records } = take({
      ...envelope,
      userId: 'u',
      batch: [{ event: 'A' }, { event: 'B', timestamp: '2026-11-21T06:00:00Z' }, { event: 'C', timestamp: null }],
    })
    expect(records.map(({ timestampMs }) => (TEST_NOW - timestampMs) / 3_600_000)).toEqual([1, 2, 1])
  })

  it('gives no event what only one event can be about', () => {
    const envelope = { messageId: 'm', event: 'E', type: 'identify', properties: { a: 1 }, traits: { b: 1 }, name: 'n' }
    const { records, acceptance } = take({
      ...envelope,
      batch: [
        { event: 'A', userId: 'u' },
        { type: 'page', userId: 'u' },
      ],
    })
    expect(records).toMatchObject([
      { event: 'A', type: 0, properties: null },
      { event: '$page', type: 2, properties: null },
    ])
    expect(acceptance.messageIds).toEqual(['made-1', 'made-2'])
  })

  it('may have an empty list for its context, and so may its events, as PHP writes an array without members', () => {
    const batch = [{ context: [] }, { context: { a: 1 } }, {}].map((event) => ({ event: 'A', userId: 'u', ...event }))
    expect(contextsOf({ context: [], batch })).toEqual([{}, { a: 1 }, null])
    expect(contextsOf({ context: { b: 2 }, batch })).toEqual([{ b: 2 }, { b: 2, a: 1 }, { b: 2 }])
  })

  it.each([
    [{ context: [{}] }, 'invalid_context', 'context of the batch must be an object, not a list'],
    [{ context: 'web' }, 'invalid_context', 'context of the batch must be an object, not a string'],
    [{ context: false }, 'invalid_context', 'context of the batch must be an object, not a boolean'],
    [{ context: { a: '\0' } }, 'nul_character', expect.any(String)],
    [{ context: { a: [[[[[[[]]]]]]] } }, 'nested_too_deep', expect.any(String)],
    [{ userId: '\0' }, 'nul_character', expect.any(String)],
    [{ userId: 'x'.repeat(256) }, 'invalid_user_id', expect.any(String)],
  ])('with %j, which no event can take, causes the rejection %s', (envelope, code, reason) => {
    const batch = [
      { event: 'A', anonymousId: 'a' },
      { event: 'B', anonymousId: 'a', context: {} },
    ]
    expect(take({ ...envelope, batch }).acceptance.rejected).toMatchObject([
      { index: 0, code, reason },
      { index: 1, code, reason },
    ])
  })
})

describe('the limits of an event', () => {
  const limits = { eventBytesMax: 300, keysMax: 10 }
  const codeOf = (envelopeContext: object, own: object | undefined) =>
    take({ context: envelopeContext, batch: [{ event: 'A', userId: 'u', context: own }] }, '/v1/batch', { limits })
      .acceptance.rejected[0]?.code
  const keys = (count: number, prefix: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, i]))

  it.each([
    ['keys that it inherits', keys(7, 'a'), undefined, undefined],
    ['one key too many that it inherits', keys(8, 'a'), undefined, 'too_many_keys'],
    ['keys of two contexts', keys(5, 'a'), keys(2, 'b'), undefined],
    ['keys of two contexts, one too many', keys(5, 'a'), keys(3, 'b'), 'too_many_keys'],
    ['the same keys in both contexts, which count once', keys(7, 'a'), keys(7, 'a'), undefined],
    ['bytes that it inherits', { a: 'x'.repeat(300) }, undefined, 'event_too_large'],
    ['bytes of two contexts', { a: 'x'.repeat(150) }, { b: 'x'.repeat(150) }, 'event_too_large'],
    ['bytes that its own context replaces', { a: 'x'.repeat(200) }, { a: 'x'.repeat(200) }, undefined],
  ])('apply to the merged event: %s', (_name, envelopeContext, own, code) => {
    expect(codeOf(envelopeContext, own)).toBe(code)
  })
})
