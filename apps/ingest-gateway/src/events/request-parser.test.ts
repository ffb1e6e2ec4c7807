import { describe, expect, it } from '@jest/globals'
import { acceptBody, openAcceptor, type TestRequest, toTestBody } from '../testing/open-acceptor.js'
import { defineFields } from './event-format.js'
import { FORMAT_FIELDS_MAX, WATCHED_SLOTS } from './event-table.js'

const lines = { path: '/v1/events', headers: { 'content-type': 'application/x-ndjson' } }

function take(body: unknown, to: string | TestRequest = '/v1/batch') {
  return acceptBody(body, typeof to === 'string' ? { path: to } : to)
}

describe('a request body', () => {
  const event = { event: 'A', userId: 'u' }
  it.each([
    ['an array', [event, event], '/v1/events', 2],
    ['one object', event, '/v1/events', 1],
    ['an object with a batch', { batch: [event, event, event] }, '/v1/events', 3],
    ['lines that say so', `${JSON.stringify(event)}\n\n ${JSON.stringify(event)}\r\n`, lines, 2],
    ['lines that do not', `${JSON.stringify(event)}\n${JSON.stringify(event)}`, '/v1/events', 2],
    ['an empty batch', { batch: [] }, '/v1/batch', 0],
    ['a byte order mark', `\ufeff${JSON.stringify([event])}`, '/v1/events', 1],
    ['a second batch in place of the first', '{"batch":[{},{}],"batch":[{"event":"A","userId":"u"}]}', '/v1/batch', 1],
    ['a batch inside a batch, which is just a key', { batch: [{ ...event, batch: [event, event] }] }, '/v1/batch', 1],
  ])('may be %s', (_name, body, wire, accepted) => {
    expect(take(body, wire).acceptance).toMatchObject({ accepted, rejected: [] })
  })

  it.each([
    ['nothing', '', '/v1/batch', 'MALFORMED_BODY'],
    ['half a document', '{"batch":[{"event":"A"', '/v1/batch', 'MALFORMED_BODY'],
    ['two documents on one line', '{} {}', '/v1/events', 'MALFORMED_BODY'],
    [
      'lines that do not say so and are not all JSON',
      '{"event":"A","userId":"u"}\n{oops',
      '/v1/events',
      'MALFORMED_BODY',
    ],
    ['bytes that are no UTF-8', Buffer.from('7b22613a22ff227d', 'hex'), '/v1/batch', 'INVALID_UTF8'],
    ['a list for the batch address', [event], '/v1/batch', 'INVALID_REQUEST'],
    ['an object without batch', event, '/v1/batch', 'INVALID_REQUEST'],
    ['a batch that is no list', { batch: event }, '/v1/batch', 'INVALID_REQUEST'],
    ['a list for a single event', [event], '/v1/track', 'INVALID_REQUEST'],
    ['too many events', Array(101).fill(1), '/v1/events', 'BATCH_TOO_LARGE'],
    [
      'a context that grows too large when every event takes it over',
      { context: { a: 'x'.repeat(500) }, batch: Array(20).fill(event) },
      '/v1/batch',
      'BATCH_TOO_LARGE',
    ],
  ])('is refused whole when it is %s', (_name, body, wire, code) => {
    expect(() => take(body, wire)).toThrow(expect.objectContaining({ code }))
  })

  it('that is not JSON is refused with byte, line and column of the error', () => {
    expect(() => take('{"batch":[\n {"a":}]}')).toThrow(
      expect.objectContaining({
        message: "the body is not JSON: found '}' instead of a value at byte 17 (line 2, column 7)",
        details: { offset: 17, line: 2, column: 7 },
      }),
    )
  })

  it('of lines loses only the lines that are not events', () => {
    const { acceptance } = take(
      '{"event":"A","userId":"u"}\n{oops}\n[1]\n"x\n{"event":"B","userId":"u"} {}\n{"event":"C","userId":"u"}',
      lines,
    )
    expect(acceptance.accepted).toBe(2)
    expect(acceptance.rejected.map(({ index, code }) => [index, code])).toEqual([
      [1, 'malformed_json'],
      [2, 'invalid_event'],
      [3, 'malformed_json'],
      [4, 'malformed_json'],
    ])
  })

  it('makes events invalid that would inherit a context that cannot be stored', () => {
    expect(take('{"context":{"a":"\\u0000"},"batch":[{"event":"A","userId":"u"}]}').acceptance.rejected[0]?.code).toBe(
      'nul_character',
    )
  })

  it('may be larger than the parser buffer, which grows', () => {
    const { acceptance } = take({
      batch: Array(90).fill({ ...event, properties: { a: 'é'.repeat(800) } }),
      pad: 'x'.repeat(2_000_000),
    })
    expect(acceptance).toMatchObject({ accepted: 90 })
  })
})

describe('a parsed request', () => {
  const parse = (parser: ReturnType<typeof openAcceptor>['parser'], event: object) => {
    const { body, wire } = toTestBody([event], { path: '/v1/events' })
    return parser.parse(body, wire.format)
  }

  it('cannot be accepted after the parser has read another request, and then nothing of either is stored', () => {
    const { parser, acceptor, producer } = openAcceptor()
    const first = parse(parser, { event: 'First', userId: 'u' })
    const second = parse(parser, { event: 'Second', userId: 'u' })
    expect([parser.isCurrent(first), parser.isCurrent(second)]).toEqual([false, true])
    expect(() => acceptor.accept(first, 1, { wantsMessageIds: false })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    )
    expect(producer.seal()).toEqual({ records: [], tallies: [] })
  })

  it('cannot be accepted after the parser has refused another request', () => {
    const { parser, acceptor, producer } = openAcceptor()
    const first = parse(parser, { event: 'First', userId: 'u' })
    const broken = toTestBody('{', { path: '/v1/events' })
    expect(() => parser.parse(broken.body, broken.wire.format)).toThrow(
      expect.objectContaining({ code: 'MALFORMED_BODY' }),
    )
    expect(parser.isCurrent(first)).toBe(false)
    expect(() => acceptor.accept(first, 1, { wantsMessageIds: false })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    )
    expect(producer.seal().records).toEqual([])
  })

  it('can be accepted once', () => {
    const { parser, acceptor, producer } = openAcceptor()
    const parsed = parse(parser, { event: 'Once', userId: 'u' })
    acceptor.accept(parsed, 1, { wantsMessageIds: false })
    expect(() => acceptor.accept(parsed, 1, { wantsMessageIds: false })).toThrow(
      expect.objectContaining({ code: 'INTERNAL' }),
    )
    expect(producer.seal().records.map(({ event }) => event)).toEqual(['Once'])
  })
})

describe('the fields of a wire', () => {
  it('are refused at the start when a row has no room for them, so they never take the place of watched properties', () => {
    const names = Array.from({ length: FORMAT_FIELDS_MAX + 1 }, (_, i) => `field${i}`)
    expect(() => defineFields(names)).toThrow('raise ROW_WORDS')
    expect(WATCHED_SLOTS).toBeGreaterThanOrEqual(24)
  })
})
