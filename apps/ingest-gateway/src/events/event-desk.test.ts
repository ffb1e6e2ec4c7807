import { describe, expect, it } from '@jest/globals'
import { hashText, partitionOf } from '@millrace/contracts'
import { streamErrors } from '@millrace/streams'
import { openDesk, TEST_NOW } from '../testing/open-desk.js'
import type { Wire } from './event-desk.js'

const batch: Wire = { kind: 'batch' }
const track: Wire = { kind: 'single', type: 'track' }
const any: Wire = { kind: 'any', isLines: false }
const lines: Wire = { kind: 'any', isLines: true }

function take(body: unknown, wire: Wire = batch, options?: Parameters<typeof openDesk>[0]) {
  const { desk, producer } = openDesk(options)
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  // In two pieces, as it may come from the network.
  const chunks = [bytes.subarray(0, 7), bytes.subarray(7)]
  desk.read(chunks, bytes.length, wire)
  const verdict = desk.take(7, { wantsMessageIds: true })
  return { verdict, ...producer.seal() }
}

/** The code that a single track event with these fields is refused with, or undefined. */
function codeOf(fields: object | string): string | undefined {
  const text = typeof fields === 'string' ? fields : JSON.stringify({ event: 'A', userId: 'u', ...fields })
  return take(text, track).verdict.rejected[0]?.code
}

describe('a good event', () => {
  it('becomes a record with every part of it', () => {
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
    const { records, verdict, tallies } = take({ batch: [event], sentAt: '2026-11-21T08:00:00Z' })
    const user = hashText('u-1', 7, { lo: 0, hi: 0 })
    expect(verdict).toMatchObject({ accepted: 1, rejected: [], messageIds: ['m-1'] })
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

  it('keeps the bytes of its properties as they came', () => {
    const text =
      '{"event":"A","userId":"u","properties" : { "n":1.50, "t":"\\u00e9é\\"\\\\", "e":{} , "z":[ ] } ,"context":{}}'
    expect(take(text, track).records[0]).toMatchObject({
      properties: '{ "n":1.50, "t":"\\u00e9é\\"\\\\", "e":{} , "z":[ ] }',
      context: '{}',
    })
  })

  it('may escape and accent its ids, its keys and its name', () => {
    const text =
      '{"\\u0065vent":"Caf\\u00e9 \\"é\\"","user\\u0049d":"z\\u00fcrich","messageId":"\\ud83d\\ude00","anonymousId":"a\\/b","\\u0074ype":"\\u0074rack"}'
    const plain = { event: 'Café "é"', userId: 'zürich', messageId: '😀', anonymousId: 'a/b' }
    const [escaped] = take(text, any).records
    expect(escaped).toMatchObject(plain)
    expect(escaped).toEqual(take([plain], any).records[0])
  })

  it('gets a message id when it has none', () => {
    expect(
      take(
        [
          { event: 'A', userId: 'u' },
          { event: 'B', userId: 'u', messageId: '' },
          { event: 'C', userId: 'u', messageId: null },
        ],
        any,
      ).verdict.messageIds,
    ).toEqual(['made-1', 'made-2', 'made-3'])
  })

  it('falls to the partition of its user, or else of its anonymous id', () => {
    const { records } = take(
      [
        { event: 'A', userId: 'u', anonymousId: 'x' },
        { event: 'A', anonymousId: 'u' },
        { event: 'A', userId: null, anonymousId: 'u' },
      ],
      any,
    )
    expect(new Set(records.map((record) => record.partition)).size).toBe(1)
    expect(new Set(records.map((record) => record.userHash)).size).toBe(1)
  })

  it('may spell its fields in snake case and number its user', () => {
    const [record] = take('{"event":"A","user_id":42,"anonymous_id":"a","message_id":"m"}', any).records
    expect(record).toMatchObject({ userId: '42', anonymousId: 'a', messageId: 'm' })
  })

  it('survives prototype keys and doubled keys, of which the last counts', () => {
    const text =
      '{"__proto__":{"event":"X"},"constructor":{"prototype":{"userId":"p"}},"event":"A","event":"B","userId":"u","properties":{"__proto__":{"a":1}}}'
    expect(take(text, track).records[0]).toMatchObject({ event: 'B', properties: '{"__proto__":{"a":1}}' })
    expect(({} as { a?: unknown }).a).toBeUndefined()
  })
})

describe('the types', () => {
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
  ])('%s %j is stored as %s', (type, fields, event, properties) => {
    const { records, verdict } = take([{ type, userId: 'u', ...fields }], any)
    expect(verdict.rejected).toEqual([])
    expect(records[0]).toMatchObject({
      event,
      properties,
      type: ['track', 'identify', 'page', 'screen', 'group', 'alias'].indexOf(type),
    })
  })

  it('are those of the address where it names one', () => {
    expect(
      take({ type: 'track', userId: 'u', traits: { a: 1 } }, { kind: 'single', type: 'identify' }).records[0],
    ).toMatchObject({ type: 1, event: '$identify' })
  })
})

describe('an event is refused alone', () => {
  it.each([
    [{ event: undefined }, 'missing_event'],
    [{ event: '' }, 'missing_event'],
    [{ event: 5 }, 'invalid_event_name'],
    [{ event: 'x'.repeat(256) }, 'invalid_event_name'],
    [{ event: 'x'.repeat(255) }, undefined],
    [{ event: '$identify' }, 'reserved_event_name'],
    [{ event: '$pageview' }, undefined],
    [{ userId: undefined }, 'missing_user'],
    [{ userId: '' }, 'missing_user'],
    [{ userId: {} }, 'invalid_user_id'],
    [{ userId: 1.5 }, 'invalid_user_id'],
    [{ userId: true }, 'invalid_user_id'],
    [{ userId: 'x'.repeat(256) }, 'invalid_user_id'],
    [{ anonymousId: [] }, 'invalid_anonymous_id'],
    [{ messageId: 5 }, 'invalid_message_id'],
    [{ messageId: 'x'.repeat(256) }, 'invalid_message_id'],
    [{ properties: [] }, 'invalid_properties'],
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
  ])('%j: %s', (fields, code) => {
    expect(codeOf(fields)).toBe(code)
  })

  it.each([
    ['group', 'missing_group_id'],
    ['alias', 'missing_previous_id'],
    ['shout', 'invalid_type'],
  ])('type %s without what it needs: %s', (type, code) => {
    expect(take([{ type, userId: 'u' }], any).verdict.rejected[0]?.code).toBe(code)
  })

  it('with its index, its message id and its reason, while the others go in and all are counted', () => {
    const { verdict, records, tallies } = take({
      batch: [{ event: 'A', userId: 'u' }, 5, { event: 'B', messageId: 'm-2' }, null, { event: 'C', userId: 'u' }],
    })
    expect(verdict.accepted).toBe(2)
    expect(verdict.rejected).toEqual([
      { index: 1, messageId: null, code: 'invalid_event', reason: expect.any(String) },
      { index: 2, messageId: 'm-2', code: 'missing_user', reason: expect.any(String) },
      { index: 3, messageId: null, code: 'invalid_event', reason: expect.any(String) },
    ])
    expect(records.map((record) => record.event)).toEqual(['A', 'C'])
    expect(tallies).toEqual([{ tenantId: 7, accepted: 5, rejected: 3 }])
  })

  it('and counted on a frame without records when no other is there', () => {
    const { tallies, records, verdict } = take({ batch: [{}, {}] })
    expect([records.length, verdict.segments.length]).toEqual([0, 1])
    expect(tallies).toEqual([{ tenantId: 7, accepted: 2, rejected: 2 }])
  })

  it('with what is wrong with a typed event', () => {
    const { verdict } = take({ event: '$login', userId: 'u', properties: { success: true } }, track)
    expect(verdict.rejected[0]?.reason).toBe('$login needs method: a string of 1 to 255 characters')
  })

  it('marks typed events for the consumer', () => {
    expect(take({ event: '$session_end', userId: 'u', properties: { session_id: 's' } }, track).records[0]?.flags).toBe(
      1,
    )
  })
})

describe('the clock of the client', () => {
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
  ])('is corrected by sentAt: %s', (_name, body) => {
    expect(take(body).records[0]?.timestampMs).toBe(TEST_NOW - 60_000)
  })

  it('is believed without sentAt, or with one that is none', () => {
    const timestamp = '2026-11-21T06:59:00Z'
    expect(take({ batch: [{ event: 'A', userId: 'u', timestamp }], sentAt: 'soon' }).records[0]?.timestampMs).toBe(
      Date.parse(timestamp),
    )
  })

  it('gives way to ours when the event has no time', () => {
    expect(
      take({ batch: [{ event: 'A', userId: 'u', timestamp: null }], sentAt: '1999-01-01T00:00:00Z' }).records[0]
        ?.timestampMs,
    ).toBe(TEST_NOW)
  })
})

describe('bodies', () => {
  const event = { event: 'A', userId: 'u' }
  it.each([
    ['an array', [event, event], any, 2],
    ['one object', event, any, 1],
    ['an object with a batch', { batch: [event, event, event] }, any, 3],
    ['lines that say so', `${JSON.stringify(event)}\n\n ${JSON.stringify(event)}\r\n`, lines, 2],
    ['lines that do not', `${JSON.stringify(event)}\n${JSON.stringify(event)}`, any, 2],
    ['an empty batch', { batch: [] }, batch, 0],
    ['a byte order mark', `\ufeff${JSON.stringify([event])}`, any, 1],
    ['a second batch in place of the first', '{"batch":[{},{}],"batch":[{"event":"A","userId":"u"}]}', batch, 1],
    ['a batch inside a batch, which is just a key', { batch: [{ ...event, batch: [event, event] }] }, batch, 1],
  ])('may be %s', (_name, body, wire, accepted) => {
    expect(take(body, wire).verdict).toMatchObject({ accepted, rejected: [] })
  })

  it.each([
    ['nothing', '', batch, 'MALFORMED_BODY'],
    ['half a document', '{"batch":[{"event":"A"', batch, 'MALFORMED_BODY'],
    ['two documents on one line', '{} {}', any, 'MALFORMED_BODY'],
    ['lines that do not say so and are not all JSON', '{"event":"A","userId":"u"}\n{oops', any, 'MALFORMED_BODY'],
    ['bytes that are no UTF-8', Buffer.from('7b22613a22ff227d', 'hex'), batch, 'INVALID_UTF8'],
    ['a list for the batch address', [event], batch, 'INVALID_REQUEST'],
    ['an object without batch', event, batch, 'INVALID_REQUEST'],
    ['a batch that is no list', { batch: event }, batch, 'INVALID_REQUEST'],
    ['a list for a single event', [event], track, 'INVALID_REQUEST'],
    ['too many events', Array(101).fill(1), any, 'BATCH_TOO_LARGE'],
    [
      'a context that grows too large when every event takes it over',
      { context: { a: 'x'.repeat(500) }, batch: Array(20).fill(event) },
      batch,
      'BATCH_TOO_LARGE',
    ],
  ])('are refused whole when they are %s', (_name, body, wire, code) => {
    expect(() => take(body, wire)).toThrow(expect.objectContaining({ code }))
  })

  it('say where they are no JSON', () => {
    expect(() => take('{"batch":[\n {"a":}]}')).toThrow(
      expect.objectContaining({
        message: "the body is not JSON: found '}' instead of a value at byte 17 (line 2, column 7)",
        details: { offset: 17, line: 2, column: 7 },
      }),
    )
  })

  it('that are lines lose only the bad ones', () => {
    const { verdict } = take(
      '{"event":"A","userId":"u"}\n{oops}\n[1]\n"x\n{"event":"B","userId":"u"} {}\n{"event":"C","userId":"u"}',
      lines,
    )
    expect(verdict.accepted).toBe(2)
    expect(verdict.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'malformed_json'],
      [2, 'invalid_event'],
      [3, 'malformed_json'],
      [4, 'malformed_json'],
    ])
  })

  it('lend their context to events without one', () => {
    const { records } = take({ context: { app: 1 }, batch: [event, { ...event, context: { own: 1 } }] })
    expect(records.map((record) => record.context)).toEqual(['{"app":1}', '{"own":1}'])
  })

  it('lend no context that cannot be stored', () => {
    expect(take('{"context":{"a":"\\u0000"},"batch":[{"event":"A","userId":"u"}]}').verdict.rejected[0]?.code).toBe(
      'nul_character',
    )
  })

  it('larger than the buffer so far are taken whole', () => {
    const { verdict } = take({
      batch: Array(90).fill({ ...event, properties: { a: 'é'.repeat(800) } }),
      pad: 'x'.repeat(2_000_000),
    })
    expect(verdict).toMatchObject({ accepted: 90 })
  })

  it('are counted as far as they went in when the stream takes no more', () => {
    const { desk, producer } = openDesk()
    const body = Buffer.from(JSON.stringify([event]))
    desk.read([body], body.length, any)
    producer.refusal = streamErrors.STREAM_FULL()
    expect(() => desk.take(1, { wantsMessageIds: false })).toThrow(expect.objectContaining({ code: 'STREAM_FULL' }))
    producer.refusal = undefined
    desk.read([body], body.length, any)
    expect(desk.take(1, { wantsMessageIds: false }).accepted).toBe(1)
    expect(producer.seal().tallies).toEqual([{ tenantId: 1, accepted: 1, rejected: 0 }])
  })
})

describe('rollups', () => {
  const definitions = [
    { event: '*', dimensions: [], property: 'properties.value' },
    { event: 'Flight', dimensions: ['properties.carrier', 'properties.meta.gate', 'context.app'], property: null },
    { event: 'Flight', dimensions: ['properties.carrier'], property: 'properties.delay' },
  ]
  const pointsOf = (event: object | string, wire: Wire = any) =>
    take(typeof event === 'string' ? event : [event], wire, { definitions }).records[0]?.points

  it('count an event in every definition that fits', () => {
    const event = {
      event: 'Flight',
      userId: 'u',
      properties: { value: 3, carrier: 'UA', delay: -1.25e1, meta: { gate: 7 } },
      context: { app: true },
    }
    expect(pointsOf(event)).toEqual([
      '*/properties.value=[]: 3',
      'Flight/null=["UA","7","true"]: NaN',
      'Flight/properties.delay=["UA"]: -12.5',
    ])
  })

  it.each([
    ['absent', {}, ['Flight/null=[null,null,null]: NaN']],
    ['a text', { value: '3', delay: '1' }, ['Flight/null=[null,null,null]: NaN']],
    ['null', { value: null, carrier: null }, ['Flight/null=[null,null,null]: NaN']],
    ['a list', { value: [1], carrier: ['UA'] }, ['Flight/null=[null,null,null]: NaN']],
    [
      'a number where a text is usual',
      { carrier: 1.5, delay: 0 },
      ['Flight/null=["1.5",null,null]: NaN', 'Flight/properties.delay=["1.5"]: 0'],
    ],
    ['escaped', { carrier: 'U"A\n' }, ['Flight/null=["U\\"A\\n",null,null]: NaN']],
  ])('take a property that is %s for what it is', (_name, properties, points) => {
    expect(pointsOf({ event: 'Flight', userId: 'u', properties })).toEqual(points)
  })

  it('read a number as the nearest double, and nothing of a list that is not in it', () => {
    const lists = [
      { event: 'Flight', dimensions: ['properties.list.length', 'properties.list.1', 'properties.id'], property: null },
    ]
    const body =
      '[{"event":"Flight","userId":"u","properties":{"list":[3,9007199254740993],"id":12345678901234567891}}]'
    expect(take(body, any, { definitions: lists }).records[0]?.points).toEqual([
      'Flight/null=[null,"9007199254740992","12345678901234567000"]: NaN',
    ])
  })

  it('find a property whose key is escaped or doubled, as the store will', () => {
    expect(pointsOf('[{"event":"A","userId":"u","properties":{"value":1,"v\\u0061lue":2}}]')).toEqual([
      '*/properties.value=[]: 2',
    ])
  })

  it('see what is stored as properties, whatever it was called', () => {
    expect(pointsOf({ type: 'identify', userId: 'u', traits: { value: 4 }, properties: { value: 9 } })).toEqual([
      '*/properties.value=[]: 4',
    ])
    expect(pointsOf({ type: 'identify', userId: 'u', traits: null, properties: { value: 9 } })).toEqual([])
    expect(pointsOf({ type: 'page', userId: 'u', name: 'x', properties: { value: 4 } })).toEqual([
      '*/properties.value=[]: 4',
    ])
  })
})
