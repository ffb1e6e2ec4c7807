import { describe, expect, it } from '@jest/globals'
import { hashText, partitionOf } from '@millrace/contracts'
import { acceptBody, TEST_NOW } from '../testing/open-acceptor.js'

function take(body: unknown, path = '/v1/batch', options?: Parameters<typeof acceptBody>[2]) {
  return acceptBody(body, { path }, options)
}

/** The code with which a single track event with these fields is rejected, or undefined. */
function codeOf(fields: object | string): string | undefined {
  const text = typeof fields === 'string' ? fields : JSON.stringify({ event: 'A', userId: 'u', ...fields })
  return take(text, '/v1/track').acceptance.rejected[0]?.code
}

describe('a valid event', () => {
  it('becomes a record with every part of the event', () => {
    const event = {
      type: 'track',
      event: 'Order Completed',
      messageId: 'm-1',
      userId: 'u-1',
      anonymousId: 'a-1',
      timestamp: '2026-11-21T07:59:00.250Z',
      properties: { total: 12.5, list: [1, { a: 'b' }] },
      context: { ip: '::1' },
      integrations: {},
    }
    const { records, acceptance, tallies } = take({ batch: [event], sentAt: '2026-11-21T08:00:00Z' })
    const user = hashText('u-1', 7, { lo: 0, hi: 0 })
    expect(acceptance).toMatchObject({ accepted: 1, rejected: [], messageIds: ['m-1'] })
    expect(records).toEqual([
      {
        userHash: BigInt.asIntN(64, (BigInt(user.hi) << 32n) | BigInt(user.lo)),
        partition: partitionOf(user, 4),
        tenantId: 7,
        type: 0,
        flags: 0,
        timestampMs: TEST_NOW - 59_750,
        receivedAtMs: TEST_NOW,
        messageId: 'm-1',
        event: 'Order Completed',
        userId: 'u-1',
        anonymousId: 'a-1',
        properties: JSON.stringify(event.properties),
        context: JSON.stringify(event.context),
        series: '[7,"Order Completed",null,[],[]]',
        points: [],
      },
    ])
    expect(tallies).toEqual([{ tenantId: 7, accepted: 1, rejected: 0 }])
  })

  it('keeps properties and context byte for byte as the client sent them', () => {
    const text =
      '{"event":"A","userId":"u","properties" : { "n":1.50, "t":"\\u00e9é\\"\\\\", "e":{} , "z":[ ] } ,"context":{}}'
    expect(take(text, '/v1/track').records[0]).toMatchObject({
      properties: '{ "n":1.50, "t":"\\u00e9é\\"\\\\", "e":{} , "z":[ ] }',
      context: '{}',
    })
  })

  it('may contain JSON escapes and accents in ids, keys and its name', () => {
    const text =
      '{"\\u0065vent":"Caf\\u00e9 \\"é\\"","user\\u0049d":"z\\u00fcrich","messageId":"\\ud83d\\ude00","anonymousId":"a\\/b","\\u0074ype":"\\u0074rack"}'
    const plain = { event: 'Café "é"', userId: 'zürich', messageId: '😀', anonymousId: 'a/b' }
    const [escaped] = take(text, '/v1/events').records
    expect(escaped).toMatchObject(plain)
    expect(escaped).toEqual(take([plain], '/v1/events').records[0])
  })

  it('gets a new message id if it has none', () => {
    expect(
      take(
        [
          { event: 'A', userId: 'u' },
          { event: 'B', userId: 'u', messageId: '' },
          { event: 'C', userId: 'u', messageId: null },
        ],
        '/v1/events',
      ).acceptance.messageIds,
    ).toEqual(['made-1', 'made-2', 'made-3'])
  })

  it('goes to the partition of its user id, or else of its anonymous id', () => {
    const { records } = take(
      [
        { event: 'A', userId: 'u', anonymousId: 'x' },
        { event: 'A', anonymousId: 'u' },
        { event: 'A', userId: null, anonymousId: 'u' },
      ],
      '/v1/events',
    )
    expect(new Set(records.map((record) => record.partition)).size).toBe(1)
    expect(new Set(records.map((record) => record.userHash)).size).toBe(1)
  })

  it('may have field names in snake case and an integer as its user id', () => {
    const [record] = take('{"event":"A","user_id":42,"anonymous_id":"a","message_id":"m"}', '/v1/events').records
    expect(record).toMatchObject({ userId: '42', anonymousId: 'a', messageId: 'm' })
  })

  it('may have keys such as __proto__ and repeated keys, of which the last one counts', () => {
    const text =
      '{"__proto__":{"event":"X"},"constructor":{"prototype":{"userId":"p"}},"event":"A","event":"B","userId":"u","properties":{"__proto__":{"a":1}}}'
    expect(take(text, '/v1/track').records[0]).toMatchObject({ event: 'B', properties: '{"__proto__":{"a":1}}' })
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })
})

describe('the type of an event', () => {
  it.each([
    ['identify', { traits: { plan: 'x' }, properties: { no: 1 } }, '$identify', '{"plan":"x"}'],
    ['identify', { properties: { plan: 'x' } }, '$identify', '{"plan":"x"}'],
    [
      'page',
      { name: 'Home', category: 'Docs', properties: { url: '/' } },
      '$page',
      '{"name":"Home","category":"Docs","url":"/"}',
    ],
    ['page', {}, '$page', null],
    ['screen', { name: 'Main', properties: {} }, '$screen', '{"name":"Main"}'],
    ['screen', { name: 'M\u00e9"n', properties: { name: 'own' } }, '$screen', '{"name":"Mé\\"n","name":"own"}'],
    ['group', { groupId: 'g-1', traits: { size: 3 } }, '$group', '{"groupId":"g-1","size":3}'],
    ['group', { groupId: 'g\n"1' }, '$group', '{"groupId":"g\\n\\"1"}'],
    ['alias', { previousId: 'old' }, '$alias', '{"previousId":"old"}'],
  ])('is %s: fields %j are stored as %s', (type, fields, event, properties) => {
    const { records, acceptance } = take([{ type, userId: 'u', ...fields }], '/v1/events')
    expect(acceptance.rejected).toEqual([])
    expect(records[0]).toMatchObject({
      event,
      properties,
      type: ['track', 'identify', 'page', 'screen', 'group', 'alias'].indexOf(type),
    })
  })

  it('comes from the path if the path names one', () => {
    expect(take({ type: 'track', userId: 'u', traits: { a: 1 } }, '/v1/identify').records[0]).toMatchObject({
      type: 1,
      event: '$identify',
    })
  })
})

describe('a rejected event', () => {
  it.each([
    [{ event: undefined }, 'missing_event'],
    [{ event: '' }, 'missing_event'],
    [{ event: 'x'.repeat(256) }, 'invalid_event_name'],
    [{ event: 'x'.repeat(255) }, undefined],
    [{ event: '$identify' }, 'reserved_event_name'],
    [{ event: '$pageview' }, undefined],
    [{ userId: undefined }, 'missing_user'],
    [{ userId: '' }, 'missing_user'],
    [{ userId: {} }, 'invalid_user_id'],
    [{ userId: true }, 'invalid_user_id'],
    [{ userId: 'x'.repeat(256) }, 'invalid_user_id'],
    [{ anonymousId: [] }, 'invalid_anonymous_id'],
    [{ messageId: 'x'.repeat(256) }, 'invalid_message_id'],
    [{ properties: [1] }, 'invalid_properties'],
    [{ properties: 'x' }, 'invalid_properties'],
    [{ properties: null }, undefined],
    [{ context: 1 }, 'invalid_context'],
    [{ timestamp: 'yesterday' }, 'invalid_timestamp'],
    [{ timestamp: true }, 'invalid_timestamp'],
    [{ timestamp: {} }, 'invalid_timestamp'],
    [{ timestamp: TEST_NOW - 1000 }, undefined],
    [{ timestamp: '0000-01-01T00:00:00Z' }, 'timestamp_out_of_range'],
    [{ timestamp: '9999-12-31T23:59:59.999Z' }, 'timestamp_out_of_range'],
    [{ timestamp: '2025-10-17T08:00:00Z' }, undefined],
    [{ timestamp: '2025-10-17T07:59:59.999Z' }, 'timestamp_out_of_range'],
    [{ timestamp: '2026-11-22T08:00:00Z' }, undefined],
    [{ timestamp: '2026-11-22T08:00:00.001Z' }, 'timestamp_out_of_range'],
    [{ properties: { a: 'x'.repeat(2000) } }, 'event_too_large'],
    [{ properties: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, i])) }, 'too_many_keys'],
    [{ properties: { a: [[[[[[]]]]]] } }, undefined],
    [{ properties: { a: [[[[[[[]]]]]]] } }, 'nested_too_deep'],
    ['{"event":"A","userId":"u","context":{"a":[[[[[[[]]]]]]]}}', 'nested_too_deep'],
    ['{"event":"A","userId":"u","properties":{"a":"\\u0000"}}', 'nul_character'],
    ['{"event":"A","userId":"u\\u0000"}', 'nul_character'],
    ['{"event":"A","userId":"u","properties":{"\\ud800":1}}', 'lone_surrogate'],
    ['{"event":"A","userId":"u","properties":{"a":1e200000}}', 'number_out_of_range'],
    ['{"event":"A","userId":"u","properties":{"a":"\\ud83d\\ude00"}}', undefined],
    [{ event: '$login', properties: { method: 'okta', success: true } }, undefined],
    [{ event: '$login', properties: { method: 'okta', success: 'yes' } }, 'invalid_properties'],
    [{ event: '$login' }, 'invalid_properties'],
    [{ event: '$activity', properties: { action: 'a', entity_type: 't', entity_id: '1', metadata: {} } }, undefined],
    [
      { event: '$activity', properties: { action: 'a', entity_type: 't', entity_id: '1', metadata: [] } },
      'invalid_properties',
    ],
    [{ event: '$session_start', properties: { session_id: 's' } }, undefined],
    [{ event: '$session_end', properties: {} }, 'invalid_properties'],
  ])('with the fields %j gets the code %s', (fields, code) => {
    expect(codeOf(fields)).toBe(code)
  })

  it.each([
    ['group', 'missing_group_id'],
    ['alias', 'missing_previous_id'],
    ['shout', 'invalid_type'],
  ])('of type %s without a required field gets the code %s', (type, code) => {
    expect(take([{ type, userId: 'u' }], '/v1/events').acceptance.rejected[0]?.code).toBe(code)
  })

  it('is reported with index, message id and reason; the other events are accepted and all are counted', () => {
    const { acceptance, records, tallies } = take({
      batch: [{ event: 'A', userId: 'u' }, 5, { event: 'B', messageId: 'm-2' }, null, { event: 'C', userId: 'u' }],
    })
    expect(acceptance.accepted).toBe(2)
    expect(acceptance.rejected).toEqual([
      { index: 1, messageId: null, code: 'invalid_event', reason: expect.any(String) },
      { index: 2, messageId: 'm-2', code: 'missing_user', reason: expect.any(String) },
      { index: 3, messageId: null, code: 'invalid_event', reason: expect.any(String) },
    ])
    expect(records.map((record) => record.event)).toEqual(['A', 'C'])
    expect(tallies).toEqual([{ tenantId: 7, accepted: 5, rejected: 3 }])
  })

  it('is counted on a frame without records when no event of its request is accepted', () => {
    const { tallies, records, acceptance } = take({ batch: [{}, {}] })
    expect([records.length, acceptance.frames.length]).toEqual([0, 1])
    expect(tallies).toEqual([{ tenantId: 7, accepted: 2, rejected: 2 }])
  })

  it('says which property of a typed event is wrong', () => {
    const { acceptance } = take({ event: '$login', userId: 'u', properties: { success: true } }, '/v1/track')
    expect(acceptance.rejected[0]?.reason).toBe(
      '$login needs method: a string of 1 to 255 characters or a number, not nothing',
    )
  })

  it('is not a valid typed event, whose record carries a flag for the consumer', () => {
    expect(
      take({ event: '$session_end', userId: 'u', properties: { session_id: 's' } }, '/v1/track').records[0]?.flags,
    ).toBe(1)
  })
})

describe('the time of an event', () => {
  it.each([
    [
      'of the batch',
      { batch: [{ event: 'A', userId: 'u', timestamp: '2026-11-21T06:59:00Z' }], sentAt: '2026-11-21T07:00:00Z' },
    ],
    [
      'of the batch, before the events',
      { sentAt: '2026-11-21T07:00:00Z', batch: [{ event: 'A', userId: 'u', timestamp: '2026-11-21T06:59:00Z' }] },
    ],
    [
      'of the event',
      {
        batch: [{ event: 'A', userId: 'u', originalTimestamp: '2026-11-21T06:59:00Z', sentAt: '2026-11-21T07:00:00Z' }],
      },
    ],
    [
      'decades off',
      { batch: [{ event: 'A', userId: 'u', timestamp: '1970-01-01T00:00:00Z' }], sentAt: '1970-01-01T00:01:00Z' },
    ],
  ])('is corrected by the error of the client clock when sentAt is given: %s', (_name, body) => {
    expect(take(body).records[0]?.timestampMs).toBe(TEST_NOW - 60_000)
  })

  it('is taken as it is without sentAt, or if sentAt is not a time', () => {
    const timestamp = '2026-11-21T06:59:00Z'
    expect(take({ batch: [{ event: 'A', userId: 'u', timestamp }], sentAt: 'soon' }).records[0]?.timestampMs).toBe(
      Date.parse(timestamp),
    )
  })

  it('is the time of receipt when the event has none', () => {
    expect(
      take({ batch: [{ event: 'A', userId: 'u', timestamp: null }], sentAt: '1999-01-01T00:00:00Z' }).records[0]
        ?.timestampMs,
    ).toBe(TEST_NOW)
  })
})
