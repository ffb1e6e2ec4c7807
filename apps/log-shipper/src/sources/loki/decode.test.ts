import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { bytesField, varintField } from '../../testing/protobuf-fields.js'
import { decodeLoki } from './decode.js'
import { decodeLokiJson } from './decode-json.js'
import { parseLabels } from './parse-labels.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SECONDS = 1_764_499_999n

const entry = (line: Buffer | string, ...more: Buffer[]) =>
  Buffer.concat([
    bytesField(1, Buffer.concat([varintField(1, SECONDS), varintField(2, 123_456_789n)])),
    bytesField(2, line),
    ...more,
  ])
const pair = (name: string, value: string) => bytesField(3, Buffer.concat([bytesField(1, name), bytesField(2, value)]))
const stream = (labels: string, ...entries: Buffer[]) =>
  bytesField(1, Buffer.concat([...entries.map((one) => bytesField(2, one)), bytesField(1, labels)]))

function decode(body: Buffer): CollectedRecords {
  const sink = new CollectedRecords()
  decodeLoki(body, sink)
  return sink
}

function decodeJson(body: unknown): CollectedRecords {
  const sink = new CollectedRecords()
  decodeLokiJson(Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)), sink)
  return sink
}

const base = { ...EMPTY_RECORD, timeMs: 1_764_499_999_123, timeSubNs: 456_789 }

describe('a push of Loki in protobuf', () => {
  it('becomes one record for each entry, with the labels of its stream and its structured metadata', () => {
    const sink = decode(
      Buffer.concat([
        stream(
          '{service_name="cart", level="error", pod="p-1"}',
          entry('one'),
          entry('two', pair('trace_id', TRACE), pair('user', '7'), pair('pod', 'own')),
        ),
        stream('{job="varlogs", host="h", message="kept"}', entry('three')),
      ]),
    )
    expect(sink.rejections).toEqual([])
    const cart = { ...base, service: 'cart', severity: 17, severityText: 'error' }
    expect(plainOf(sink.records)).toEqual(
      plainOf([
        { ...cart, message: 'one', attributes: { pod: 'p-1' } },
        {
          ...cart,
          message: 'two',
          traceId: TRACE,
          attributes: { pod: 'own', 'pod#2': 'p-1', user: '7' },
          flags: LOG_FLAGS.keysRepeated,
        },
        { ...base, message: 'three', service: 'varlogs', host: 'h', attributes: { job: 'varlogs', message: 'kept' } },
      ]),
    )
  })

  it('repairs invalid UTF-8 and keeps NUL and line ends', () => {
    const sink = decode(stream('{}', entry(Buffer.from([0x61, 0xff])), entry('a\0b\r\n')))
    expect(plainOf(sink.records)).toEqual(
      plainOf([
        { ...base, message: 'a\ufffd', flags: LOG_FLAGS.utf8Repaired },
        { ...base, message: 'a\0b\r\n' },
      ]),
    )
  })

  it('refuses broken entries, and all entries of a stream whose labels cannot be parsed, and keeps the others', () => {
    const sink = decode(
      Buffer.concat([stream('{a="b"', entry('x'), entry('y')), stream('{}', Buffer.from([0x12, 0x7f]), entry('kept'))]),
    )
    expect(sink.records.map(({ message }) => message)).toEqual(['kept'])
    expect(sink.rejections.map(({ index }) => index)).toEqual([0, 1, 2])
  })

  it('refuses a time out of range alone', () => {
    const late = Buffer.concat([bytesField(1, varintField(1, 2n ** 60n)), bytesField(2, 'x')])
    expect(decode(stream('{}', late, entry('kept')))).toMatchObject({
      records: [{ message: 'kept' }],
      rejections: [{ index: 0 }],
    })
  })

  it('turns any bytes into records or a precise error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isEntry) => {
        try {
          decode(isEntry ? stream('{a="b"}', Buffer.from(bytes)) : Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('a push of Loki in JSON', () => {
  it('becomes the same records', () => {
    const sink = decodeJson({
      streams: [
        {
          stream: { service_name: 'cart', level: 'error', pod: 'p-1' },
          values: [
            ['1764499999123456789', 'one'],
            ['1764499999123456789', 'two', { trace_id: TRACE, user: '7' }],
          ],
        },
        { labels: '{job="varlogs"}', entries: [{ ts: '2025-11-30T10:53:19.123456789Z', line: 'three' }] },
      ],
    })
    const cart = { ...base, service: 'cart', severity: 17, severityText: 'error' }
    expect(plainOf(sink.records)).toEqual(
      plainOf([
        { ...cart, message: 'one', attributes: { pod: 'p-1' } },
        { ...cart, message: 'two', traceId: TRACE, attributes: { pod: 'p-1', user: '7' } },
        { ...base, message: 'three', service: 'varlogs', attributes: { job: 'varlogs' } },
      ]),
    )
  })

  it('refuses entries with a wrong time or line alone', () => {
    const { records, rejections } = decodeJson({
      streams: [
        { stream: {}, values: [['soon', 'x'], ['1', 7], 'x', [], ['1764499999123456789', 'kept'], ['1', 'x', 'meta']] },
      ],
    })
    expect(records.map(({ message }) => message)).toEqual(['kept'])
    expect(rejections.map(({ index }) => index)).toEqual([0, 1, 2, 3, 5])
  })

  it.each([[[]], [{}], [{ streams: {} }], [{ streams: [1] }], [{ streams: [{ stream: {}, values: 1 }] }]])(
    'refuses %j whole',
    (body) => {
      expect(() => decodeJson(body)).toThrow(DecodeFault)
    },
  )

  it('turns any JSON into records or a precise error', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 4 }), fc.jsonValue(), (values, labels) => {
        const { records, rejections } = decodeJson({ streams: [{ stream: labels, values }] })
        expect(records.length + rejections.length).toBe(values.length)
      }),
      { numRuns: 500 },
    )
  })
})

describe('the labels of a stream', () => {
  it.each([
    ['{}', {}],
    [' { } ', {}],
    ['{a="b"}', { a: 'b' }],
    ['{a="b",c = "d", }', { a: 'b', c: 'd' }],
    ['{a="q\\"\\\\\\n\\t\\u00e4\\x41\\101"}', { a: 'q"\\\n\täAA' }],
    ['{a=`raw\\n`}', { a: 'raw\\n' }],
    ['{a="x",a="y"}', { a: 'x', 'a#2': 'y' }],
  ])('%s are parsed', (text, expected) => {
    expect({ ...parseLabels(text) }).toEqual(expected)
  })

  it.each(['', 'a="b"', '{a}', '{a=b}', '{a="b', '{a="b"} x', '{"a"="b"}', '{a="b" c="d"}', '{,}'])(
    '%j are refused',
    (text) => {
      expect(() => parseLabels(text)).toThrow(DecodeFault)
    },
  )

  it('are parsed in time that grows with their length', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `l${index}="${'\\"'.repeat(10)}"`).join(',')
    expect(Object.keys(parseLabels(`{${many}}`))).toHaveLength(10_000)
    expect(() => parseLabels(`{a="${'\\'.repeat(100_001)}`)).toThrow(DecodeFault)
  })
})
