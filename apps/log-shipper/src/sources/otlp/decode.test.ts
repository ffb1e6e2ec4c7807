import { describe, expect, it } from '@jest/globals'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD } from '../../testing/expect-record.js'
import { bytesField, fixed64Field, varintField } from '../../testing/protobuf-fields.js'
import { decodeOtlp } from './decode.js'
import { decodeOtlpJson } from './decode-json.js'

const text = (value: string) => bytesField(1, value)
const pair = (key: string, value: Buffer) => Buffer.concat([bytesField(1, key), bytesField(2, value)])

/** A request with one resource, one scope and these records, in protobuf. */
function request(records: readonly Buffer[], { resource = [] as Buffer[], scope = Buffer.alloc(0) } = {}): Buffer {
  const scopeLogs = Buffer.concat([...records.map((record) => bytesField(2, record)), bytesField(1, scope)])
  const resourceBytes = Buffer.concat(resource.map((attribute) => bytesField(1, attribute)))
  // The records come before their resource and scope: protobuf allows any order.
  return bytesField(1, Buffer.concat([bytesField(2, scopeLogs), bytesField(1, resourceBytes)]))
}

function decode(body: Buffer): CollectedRecords {
  const sink = new CollectedRecords()
  decodeOtlp(body, sink)
  return sink
}

function decodeJson(body: unknown): CollectedRecords {
  const sink = new CollectedRecords()
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  decodeOtlpJson(bytes, sink)
  return sink
}

const jsonRequest = (logRecords: unknown[], resource: unknown = {}, scope: unknown = {}) => ({
  resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords }] }],
})

const TIME = 1_764_499_999_123_456_789n

describe('OTLP in protobuf', () => {
  const cases: [string, Buffer[], Partial<LogRecord>][] = [
    ['an empty record', [], {}],
    ['the time to the nanosecond', [fixed64Field(1, TIME)], { timeMs: 1_764_499_999_123, timeSubNs: 456_789 }],
    ['the largest time', [fixed64Field(1, 2n ** 64n - 1n)], { timeMs: 18_446_744_073_709, timeSubNs: 551_615 }],
    [
      'the observed time where there is no other',
      [fixed64Field(11, TIME)],
      { timeMs: 1_764_499_999_123, timeSubNs: 456_789 },
    ],
    [
      'the time before the observed time',
      [fixed64Field(11, 5n), fixed64Field(1, TIME)],
      { timeMs: 1_764_499_999_123, timeSubNs: 456_789 },
    ],
    [
      'the severity number before the text',
      [varintField(2, 18n), bytesField(3, 'info')],
      { severity: 18, severityText: 'info' },
    ],
    [
      'the severity text where there is no number',
      [bytesField(3, 'WARNING')],
      { severity: 13, severityText: 'WARNING' },
    ],
    [
      'a severity number out of range as absent',
      [varintField(2, 99n), bytesField(3, 'err')],
      { severity: 17, severityText: 'err' },
    ],
    [
      'a text body with NUL, CRLF and right-to-left text',
      [bytesField(5, text('a\0b\r\nשלום 😀'))],
      { message: 'a\0b\r\nשלום 😀' },
    ],
    [
      'invalid UTF-8 by U+FFFD and a flag',
      [bytesField(5, bytesField(1, Buffer.from([0x61, 0xff, 0x62])))],
      { message: 'a\ufffdb', flags: LOG_FLAGS.utf8Repaired },
    ],
    ['a valid U+FFFD without a flag', [bytesField(5, text('a\ufffd'))], { message: 'a\ufffd' }],
    [
      'a body that is a map as JSON',
      [bytesField(5, bytesField(6, bytesField(1, pair('k', varintField(3, 7n)))))],
      { message: '{"k":7}' },
    ],
    [
      'ids in hex',
      [bytesField(9, Buffer.alloc(16, 0xab)), bytesField(10, Buffer.alloc(8, 1))],
      { traceId: 'ab'.repeat(16), spanId: '01'.repeat(8) },
    ],
    ['ids that are all zero as absent', [bytesField(9, Buffer.alloc(16)), bytesField(10, Buffer.alloc(8))], {}],
    [
      'ids of another length as attributes',
      [bytesField(9, Buffer.alloc(3, 1)), bytesField(10, Buffer.alloc(9, 2))],
      { attributes: { trace_id: '010101', span_id: '02'.repeat(9) } },
    ],
    [
      'the event name and the trace flags',
      [bytesField(12, 'login'), Buffer.from([0x45, 1, 0, 0, 0])],
      { attributes: { 'event.name': 'login', trace_flags: 1 } },
    ],
    ['the number of dropped attributes', [varintField(7, 3n)], { attributes: { dropped_attributes_count: 3 } }],
    [
      'attributes of every type',
      [
        bytesField(6, pair('s', text('x'))),
        bytesField(6, pair('t', varintField(2, 1n))),
        bytesField(6, pair('i', varintField(3, -5n))),
        bytesField(6, pair('big', varintField(3, 9_007_199_254_740_993n))),
        bytesField(6, pair('least', varintField(3, -(2n ** 63n)))),
        bytesField(6, pair('d', doubleField(1.5))),
        bytesField(6, pair('nan', doubleField(Number.NaN))),
        bytesField(6, pair('inf', doubleField(Number.NEGATIVE_INFINITY))),
        bytesField(6, pair('b', bytesField(7, Buffer.from([0, 255])))),
        bytesField(
          6,
          pair('list', bytesField(5, Buffer.concat([bytesField(1, text('1')), bytesField(1, varintField(3, 2n))]))),
        ),
        bytesField(6, pair('map', bytesField(6, bytesField(1, pair('k', text('v')))))),
        bytesField(6, pair('none', Buffer.alloc(0))),
      ],
      {
        attributes: {
          s: 'x',
          t: true,
          i: -5,
          big: '9007199254740993',
          least: '-9223372036854775808',
          d: 1.5,
          nan: 'NaN',
          inf: '-Infinity',
          b: 'AP8=',
          list: ['1', 2],
          map: { k: 'v' },
          none: null,
        },
      },
    ],
    [
      'repeated and empty names',
      [
        bytesField(6, pair('a', text('1'))),
        bytesField(6, pair('a', text('2'))),
        bytesField(6, pair('', text('3'))),
        bytesField(6, pair('__proto__', text('4'))),
      ],
      { attributes: { a: '1', 'a#2': '2', '': '3', ['__proto__']: '4' }, flags: LOG_FLAGS.keysRepeated },
    ],
    [
      'unknown fields of every type by skipping them',
      [
        bytesField(99, 'x'),
        varintField(100, 1n),
        fixed64Field(101, 1n),
        Buffer.from([0x53, 0x08, 0x01, 0x54]),
        bytesField(5, text('m')),
      ],
      { message: 'm' },
    ],
  ]

  it.each(cases)('takes %s', (_what, parts, expected) => {
    const { records, rejections } = decode(request([Buffer.concat(parts)]))
    expect(rejections).toEqual([])
    expect(JSON.parse(JSON.stringify(records))).toEqual(JSON.parse(JSON.stringify([{ ...EMPTY_RECORD, ...expected }])))
  })

  it('gives every record the names and attributes of its resource and scope', () => {
    const resource = [
      pair('service.name', text('cart')),
      pair('host.name', text('node-1')),
      pair('k8s.pod.name', text('cart-7')),
    ]
    const scope = Buffer.concat([bytesField(1, 'http'), bytesField(2, '1.2'), bytesField(3, pair('lib', text('x')))])
    const { records } = decode(
      request([bytesField(6, pair('resource.k8s.pod.name', text('own'))), Buffer.alloc(0)], { resource, scope }),
    )
    const origin = { 'scope.name': 'http', 'scope.version': '1.2', 'scope.lib': 'x' }
    expect(records).toEqual([
      {
        ...EMPTY_RECORD,
        service: 'cart',
        host: 'node-1',
        attributes: { 'resource.k8s.pod.name': 'own', 'resource.k8s.pod.name#2': 'cart-7', ...origin },
      },
      {
        ...EMPTY_RECORD,
        service: 'cart',
        host: 'node-1',
        attributes: { 'resource.k8s.pod.name': 'cart-7', ...origin },
      },
    ])
  })

  it('refuses a broken record alone', () => {
    const good = bytesField(5, text('good'))
    const { records, rejections } = decode(request([good, Buffer.from([0x2a, 0x7f, 0x01]), good]))
    expect(records.map(({ message }) => message)).toEqual(['good', 'good'])
    expect(rejections).toEqual([
      { index: 1, code: 'invalid_record', reason: expect.stringContaining('not valid protobuf') },
    ])
  })

  it('refuses a request whose outer messages are broken before it gives a verdict', () => {
    const sink = new CollectedRecords()
    const body = Buffer.concat([request([bytesField(5, text('good'))]), Buffer.from([0x0a, 0x7f])])
    expect(() => decodeOtlp(body, sink)).toThrow(DecodeFault)
    expect(sink.records).toEqual([])
  })

  it('keeps a value that is nested too deeply as base64 and flags it, also 10,000 levels', () => {
    let value = text('x')
    for (let level = 0; level < 40; level++) value = bytesField(5, bytesField(1, value))
    const { records } = decode(request([bytesField(6, pair('a', value))]))
    expect(records[0]?.flags).toBe(LOG_FLAGS.depthCut)
    expect(JSON.stringify(records[0]?.attributes)).toMatch(/^\{"a":\[{32}"[A-Za-z0-9+/=]+"\]{32}\}$/)
    for (let level = 0; level < 10_000; level++) value = bytesField(5, bytesField(1, value))
    expect(decode(request([bytesField(5, value)])).records).toHaveLength(1)
  })

  it('turns any bytes into records or a precise error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isRecord) => {
        const body = isRecord ? request([Buffer.from(bytes), Buffer.from(bytes)]) : Buffer.from(bytes)
        try {
          const { records, rejections } = decode(body)
          if (isRecord) expect(records.length + rejections.length).toBe(2)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
        }
      }),
      { numRuns: propertyRuns(400) },
    )
  })

  it('gives a verdict for each record of a request of which one byte was changed, or refuses it whole', () => {
    const record = Buffer.concat([
      fixed64Field(1, TIME),
      bytesField(5, text('hello')),
      bytesField(6, pair('k', bytesField(6, bytesField(1, pair('a', text('b')))))),
    ])
    const body = request([record, record, record])
    for (let at = 0; at < body.length; at++) {
      for (const change of [1, 0x80, 0xff]) {
        const broken = Buffer.from(body)
        broken[at] = (broken[at] as number) ^ change
        try {
          decode(broken)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
        }
      }
    }
  })
})

describe('OTLP in JSON', () => {
  const cases: [string, unknown, Partial<LogRecord>][] = [
    ['the time as text', { timeUnixNano: String(TIME) }, { timeMs: 1_764_499_999_123, timeSubNs: 456_789 }],
    [
      'names in snake case',
      { time_unix_nano: String(TIME), severity_number: 9 },
      { timeMs: 1_764_499_999_123, timeSubNs: 456_789, severity: 9 },
    ],
    ['null for every absent field', { timeUnixNano: null, body: null, attributes: null, traceId: null }, {}],
    ['a severity by its name', { severityNumber: 'SEVERITY_NUMBER_ERROR2' }, { severity: 18 }],
    [
      'ids in hex of any case',
      { traceId: 'AB'.repeat(16), spanId: '0C'.repeat(8) },
      { traceId: 'ab'.repeat(16), spanId: '0c'.repeat(8) },
    ],
    [
      'ids in base64',
      { traceId: Buffer.alloc(16, 0xab).toString('base64'), spanId: Buffer.alloc(8, 3).toString('base64') },
      { traceId: 'ab'.repeat(16), spanId: '03'.repeat(8) },
    ],
    [
      'whole numbers as text or number',
      {
        attributes: [
          { key: 'a', value: { intValue: '7' } },
          { key: 'b', value: { intValue: 8 } },
          { key: 'c', value: { intValue: '9007199254740993' } },
        ],
      },
      { attributes: { a: 7, b: 8, c: '9007199254740993' } },
    ],
    [
      'the other kinds of values',
      {
        attributes: [
          { key: 'd', value: { doubleValue: 'NaN' } },
          { key: 'e', value: { boolValue: false } },
          { key: 'f', value: { bytesValue: 'AP8=' } },
          { key: 'g', value: {} },
          { key: 'h', value: { arrayValue: { values: [{ stringValue: '' }] } } },
          { key: 'i', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
        ],
      },
      { attributes: { d: 'NaN', e: false, f: 'AP8=', g: null, h: [''], i: { k: 'v' } } },
    ],
    ['unknown fields', { newField: 1, body: { stringValue: 'm', other: 2 } }, { message: 'm' }],
  ]

  it.each(cases)('takes %s', (_what, record, expected) => {
    const { records, rejections } = decodeJson(jsonRequest([record]))
    expect(rejections).toEqual([])
    expect(records).toEqual([{ ...EMPTY_RECORD, ...expected }])
  })

  it('keeps a time beyond 2^53 that is written as a number', () => {
    expect(
      decodeJson(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":${TIME}}]}]}]}`).records[0],
    ).toMatchObject({
      timeMs: 1_764_499_999_123,
      timeSubNs: 456_789,
    })
  })

  it('flags only the record with the invalid UTF-8', () => {
    const [before, after] = JSON.stringify(
      jsonRequest([{ body: { stringValue: 'a@b' } }, { body: { stringValue: 'good' } }]),
    ).split('@')
    const body = Buffer.concat([Buffer.from(before as string), Buffer.from([0xc0]), Buffer.from(after as string)])
    expect(decodeJson(body).records).toEqual([
      { ...EMPTY_RECORD, message: 'a\ufffdb', flags: LOG_FLAGS.utf8Repaired },
      { ...EMPTY_RECORD, message: 'good' },
    ])
  })

  it.each([
    ['a record that is no object', [1]],
    ['a time that is no number', [{ timeUnixNano: 'yesterday' }]],
    ['attributes that are no list', [{ attributes: {} }]],
    ['a body that is no value', [{ body: 'text' }]],
    ['an intValue that is no whole number', [{ body: { intValue: '1.5' } }]],
  ])('refuses %s alone', (_what, [record]) => {
    const { records, rejections } = decodeJson(jsonRequest([{}, record, {}]))
    expect(records).toHaveLength(2)
    expect(rejections).toEqual([
      { index: 1, code: expect.stringMatching(/^(invalid_record|not_an_object)$/), reason: expect.any(String) },
    ])
  })

  it.each(['', '[]', '{', '"x"', '{"resourceLogs":1}', '{"resourceLogs":[{"scopeLogs":{}}]}', '{"resourceLogs":[1]}'])(
    'refuses the body %s whole',
    (body) => {
      expect(() => decodeJson(body)).toThrow(DecodeFault)
    },
  )

  it('takes an empty request', () => {
    expect(decodeJson('{}').records).toEqual([])
  })

  it('keeps a value that is nested too deeply as JSON text and flags it', () => {
    let value: unknown = { stringValue: 'x' }
    for (let level = 0; level < 40; level++) value = { arrayValue: { values: [value] } }
    const { records } = decodeJson(jsonRequest([{ body: value }]))
    expect(records[0]?.flags).toBe(LOG_FLAGS.depthCut)
    const nested = '['.repeat(100_000) + ']'.repeat(100_000)
    expect(() => decodeJson(`{"resourceLogs":${nested}}`)).toThrow(DecodeFault)
  })

  it('turns any JSON into records or a precise error', () => {
    const values = fc.letrec((tie) => ({
      any: fc.oneof({ maxDepth: 4 }, fc.jsonValue(), tie('record'), fc.array(tie('any'), { maxLength: 3 })),
      record: fc.dictionary(
        fc.constantFrom(
          'timeUnixNano',
          'body',
          'attributes',
          'key',
          'value',
          'stringValue',
          'kvlistValue',
          'arrayValue',
          'values',
          'traceId',
          'flags',
        ),
        tie('any'),
      ),
    }))
    fc.assert(
      fc.property(fc.array(values.any, { maxLength: 4 }), values.any, (records, resource) => {
        const sink = decodeJson(jsonRequest(records, resource))
        expect(sink.records.length + sink.rejections.length).toBe(records.length)
      }),
      { numRuns: propertyRuns(200) },
    )
  })
})

function doubleField(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = (4 << 3) | 1
  bytes.writeDoubleLE(value, 1)
  return bytes
}
