import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { acceptBody, TEST_NOW } from '../../testing/open-acceptor.js'

const minimal = { specversion: '1.0', id: '7', source: '/shop', type: 'com.example.ordered' }
const minimalHeaders = { 'ce-specversion': '1.0', 'ce-id': '7', 'ce-source': '/shop', 'ce-type': 'com.example.ordered' }

function take(body: unknown, headers: IncomingHttpHeaders, options?: Parameters<typeof acceptBody>[2]) {
  return acceptBody(body, { path: '/v1/cloudevents', headers }, options)
}
const structured = (event: unknown, options?: Parameters<typeof acceptBody>[2]) =>
  take(event, { 'content-type': 'application/cloudevents+json; charset=utf-8' }, options)
const batch = (events: unknown) => take(events, { 'content-type': 'application/cloudevents-batch+json' })
const binary = (body: string | Buffer, contentType: string | undefined, headers: IncomingHttpHeaders = {}) =>
  take(body, { ...minimalHeaders, ...headers, ...(contentType !== undefined && { 'content-type': contentType }) })
const contextOf = (text: string | null | undefined) =>
  (JSON.parse(text ?? '{}') as { cloudevents: unknown }).cloudevents

describe('a structured CloudEvent', () => {
  it('becomes a record with its data as properties and its other attributes in the context', () => {
    const { records, acceptance } = structured({
      ...minimal,
      time: '2026-11-21T07:59:59.5+00:00',
      subject: 'order-1',
      datacontenttype: 'application/json',
      dataschema: 'https://example.com/order',
      userid: 'u-1',
      anonymousid: 'a-1',
      region: 'eu',
      attempt: 2,
      data: { total: 12.5, items: [1] },
    })
    expect(acceptance).toMatchObject({ accepted: 1, rejected: [], messageIds: ['/shop 7'] })
    expect(records[0]).toMatchObject({
      event: 'com.example.ordered',
      type: 0,
      messageId: '/shop 7',
      userId: 'u-1',
      anonymousId: 'a-1',
      timestampMs: TEST_NOW - 500,
      properties: '{"total":12.5,"items":[1]}',
    })
    expect(contextOf(records[0]?.context)).toEqual({
      id: '7',
      source: '/shop',
      subject: 'order-1',
      datacontenttype: 'application/json',
      dataschema: 'https://example.com/order',
      region: 'eu',
      attempt: 2,
    })
  })

  it.each([
    ['its userid', { userid: 'u', subject: 's' }, 'u', null],
    ['its anonymousid', { anonymousid: 'a', subject: 's' }, null, 'a'],
    ['its subject', { subject: 's', userid: null }, null, 's'],
    ['its source', {}, null, '/shop'],
  ])('belongs to the user that %s names', (_name, attributes, userId, anonymousId) => {
    expect(structured({ ...minimal, ...attributes }).records[0]).toMatchObject({ userId, anonymousId })
  })

  it.each([
    ['a string', { data: 'a "b"\n' }, '{"data":"a \\"b\\"\\n"}'],
    ['a list', { data: [1, 2] }, '{"data":[1,2]}'],
    ['false', { data: false }, '{"data":false}'],
    ['null', { data: null }, null],
    ['absent', {}, null],
    ['binary', { data_base64: 'AAEC' }, '{"data_base64":"AAEC"}'],
  ])('whose data is %s keeps it in its properties', (_name, data, properties) => {
    expect(structured({ ...minimal, ...data }).records[0]?.properties).toBe(properties)
  })

  it('has one message id for each pair of source and id, however long', () => {
    const idOf = (source: string, id: string) => structured({ ...minimal, source, id }).acceptance.messageIds?.[0]
    expect(idOf('/a', '1')).toBe('/a 1')
    expect(idOf('/b', '1')).toBe('/b 1')
    const long = `/${'x'.repeat(300)}`
    expect(idOf(long, '1')).toBe(`sha256:${createHash('sha256').update(`${long} 1`).digest('hex')}`)
    expect(idOf(long, '2')).not.toBe(idOf(long, '1'))
  })

  it('may have escapes in its attributes', () => {
    const text =
      '{"specversion":"1\\u002e0","id":"\\u0037\\"","source":"\\/shop","type":"Caf\\u00e9","subject":"a\\"b","data":{}}'
    expect(structured(text).records[0]).toMatchObject({ event: 'Café', messageId: '/shop 7"', anonymousId: 'a"b' })
  })

  it('counts in the rollups of the properties that its data became', () => {
    const definitions = [{ event: '*', dimensions: [], property: 'properties.data' }]
    expect(structured({ ...minimal, data: 4 }, { definitions }).records[0]?.points).toEqual(['*/properties.data=[]: 4'])
  })
})

describe('a rejected CloudEvent', () => {
  it.each([
    ['has no id', { id: undefined }, 'invalid_message_id'],
    ['has an empty id', { id: '' }, 'invalid_message_id'],
    ['has no source', { source: undefined }, 'invalid_message_id'],
    ['has a source with a space', { source: '/a b' }, 'invalid_message_id'],
    ['has no type', { type: undefined }, 'missing_event'],
    ['has an empty type', { type: '' }, 'missing_event'],
    ['has a type that is too long', { type: 'x'.repeat(256) }, 'invalid_event_name'],
    ['has the name of an event type as its type', { type: '$identify' }, 'reserved_event_name'],
    ['has no specversion', { specversion: undefined }, 'invalid_event'],
    ['has another specversion', { specversion: '0.3' }, 'invalid_event'],
    ['has a number as its specversion', { specversion: 1 }, 'invalid_event'],
    ['has a time without an offset', { time: '2026-11-21T08:00:00' }, 'invalid_timestamp'],
    ['is too old', { time: '1990-01-01T00:00:00Z' }, 'timestamp_out_of_range'],
    ['has an object as its userid', { userid: {} }, 'invalid_user_id'],
    ['has a subject that is too long', { subject: 'x'.repeat(256) }, 'invalid_anonymous_id'],
    ['has data and data_base64', { data: 1, data_base64: 'AA==' }, 'invalid_properties'],
    ['has a number as its data_base64', { data_base64: 1 }, 'invalid_properties'],
    ['has a NUL character in an extension', { region: '\0' }, 'nul_character'],
    ['is a typed event without its properties', { type: '$login', data: {} }, 'invalid_properties'],
  ])('that %s gets the code %s', (_name, attributes, code) => {
    const { acceptance, records } = structured({ ...minimal, ...attributes })
    expect(acceptance.rejected.map((rejection) => rejection.code)).toEqual([code])
    expect(records).toEqual([])
  })

  it('gets a reason in the terms of CloudEvents', () => {
    expect(structured({ ...minimal, id: undefined }).acceptance.rejected[0]?.reason).toContain('a source')
    expect(structured({ ...minimal, type: '$login', data: {} }).acceptance.rejected[0]?.reason).toContain('method')
  })
})

describe('a batch of CloudEvents', () => {
  it('loses only its invalid events', () => {
    const { acceptance, records } = batch([minimal, 5, { ...minimal, id: '8' }, { ...minimal, specversion: '2.0' }])
    expect(acceptance.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'invalid_event'],
      [3, 'invalid_event'],
    ])
    expect(records.map(({ messageId }) => messageId).sort()).toEqual(['/shop 7', '/shop 8'])
  })

  it('may be empty', () => {
    expect(batch([]).acceptance).toMatchObject({ accepted: 0, rejected: [] })
  })
})

describe('a binary CloudEvent', () => {
  it('takes its attributes from the headers and its data from the body', () => {
    const { records } = binary('{"total":1.50}', 'application/json', {
      'ce-time': '2026-11-21T08:00:00Z',
      'ce-userid': 'u-1',
      'ce-region': 'eu',
      'ce-datacontenttype': 'text/evil',
      'ce-data': 'evil',
    })
    expect(records[0]).toMatchObject({
      event: 'com.example.ordered',
      messageId: '/shop 7',
      userId: 'u-1',
      timestampMs: TEST_NOW,
      properties: '{"total":1.50}',
    })
    expect(contextOf(records[0]?.context)).toEqual({
      id: '7',
      source: '/shop',
      region: 'eu',
      datacontenttype: 'application/json',
    })
  })

  it.each([
    ['application/json', '{"a":1}', '{"a":1}'],
    ['application/vnd.order+json; charset=utf-8', ' [1] ', '{"data":[1]}'],
    ['text/plain', 'a "b" é', '{"data":"a \\"b\\" é"}'],
    ['application/xml', '<a/>', '{"data":"<a/>"}'],
    ['text/plain', Buffer.from([0xff]), '{"data_base64":"/w=="}'],
    ['application/octet-stream', Buffer.from([0, 1, 2]), '{"data_base64":"AAEC"}'],
    [undefined, 'abc', '{"data_base64":"YWJj"}'],
    ['application/json', '', null],
  ])('of content type %s keeps the body %j as %s', (contentType, body, properties) => {
    const { records, acceptance } = binary(body, contentType)
    expect(acceptance.rejected).toEqual([])
    expect(records[0]?.properties).toBe(properties)
  })

  it.each([
    ['percent-encoded', 'Caf%C3%A9 %22%E2%82%AC%22', 'Café "€"'],
    ['quoted', '"a \\"b\\" \\\\"', 'a "b" \\'],
    ['raw UTF-8, which node:http reads as Latin-1', Buffer.from('é').toString('latin1'), 'é'],
    ['a percent sign alone', '50% of %zz', '50% of %zz'],
  ])('may have header values that are %s', (_name, value, subject) => {
    expect(binary('{}', 'application/json', { 'ce-subject': value }).records[0]?.anonymousId).toBe(subject)
  })

  it('is rejected when a header contains an encoded NUL character', () => {
    const { acceptance } = binary('{}', 'application/json', { 'ce-region': '%00' })
    expect(acceptance.rejected[0]?.code).toBe('nul_character')
  })

  it('is rejected when a required header is missing', () => {
    const headers = {
      'ce-specversion': '1.0',
      'ce-source': '/shop',
      'ce-type': 'A',
      'content-type': 'application/json',
    }
    expect(take('{}', headers).acceptance.rejected[0]?.code).toBe('invalid_message_id')
  })

  it.each([
    ['1,"type":"evil"', "found ',' instead of the end of the text at byte 1 (line 1, column 2)"],
    ['1,"type":"evil","data":2', "found ',' instead of the end of the text at byte 1 (line 1, column 2)"],
    ['{"a":\n', 'found the end of the text instead of a value at byte 6 (line 2, column 1)'],
    ['{}}', "found '}' instead of the end of the text at byte 2 (line 1, column 3)"],
  ])('is refused when its JSON body is not one JSON value: %j', (body, message) => {
    expect(() => binary(body, 'application/json')).toThrow(
      expect.objectContaining({ code: 'MALFORMED_BODY', message: `the body is not JSON: ${message}` }),
    )
  })
})

describe('a request to the path of CloudEvents', () => {
  it.each([
    ['has neither a content type of CloudEvents nor ce- headers', minimal, { 'content-type': 'application/json' }],
    ['is in another format than JSON', 'x', { 'content-type': 'application/cloudevents+avro' }],
    ['has a list as a structured event', [minimal], { 'content-type': 'application/cloudevents+json' }],
    ['has an object as a batch', minimal, { 'content-type': 'application/cloudevents-batch+json' }],
    ['has a header that is not UTF-8', '{}', { ...minimalHeaders, 'ce-subject': '%FF' }],
  ])('is refused when it %s', (_name, body, headers) => {
    expect(() => take(body, headers)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})
