import { describe, expect, it } from '@jest/globals'
import { createMasker } from '@millrace/masking'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { RecordCollector } from '../../batch/record-collector.js'
import { DecodeFault } from '../../fields/decode-fault.js'
import { decodeOtlpJson } from './decode-json.js'
import { scanOtlpJson } from './scan-json.js'

const NOW = Date.UTC(2026, 10, 30)
const RUNS = propertyRuns(300)

/** What becomes of a request: its batches byte for byte, its rejections, what was masked, or why it was refused whole. */
function outcomeOf(body: Buffer, isScanned: boolean) {
  const masker = createMasker({ idNames: ['parcel'] })
  const collector = new RecordCollector({ masker, receivedAtMs: NOW })
  try {
    if (!(isScanned && scanOtlpJson(body, collector))) decodeOtlpJson(body, collector)
  } catch (error) {
    if (!(error instanceof DecodeFault)) throw error
    return { fault: error.message }
  }
  const { accepted, rejections } = collector
  const services = [...collector.finish()].map(([service, batches]) => ({
    service,
    batches: batches.map(({ bytes, ...rest }) => ({ ...rest, bytes: bytes.toString('latin1') })),
  }))
  return { accepted, rejections, services }
}

function expectSame(body: Buffer): void {
  expect(outcomeOf(body, true)).toEqual(outcomeOf(body, false))
}

const odd = fc.constantFrom<unknown>(
  undefined,
  null,
  0,
  -0,
  1,
  '',
  '0',
  -5,
  1.5,
  1e-7,
  1e21,
  '12',
  123456789012,
  4111111111111111,
  '4111111111111111',
  true,
  [],
  {},
  'x',
)
const text = fc.oneof(
  fc.constantFrom(
    'order 17 was placed',
    'mail to bob@example.com',
    'a "quoted" text\n\tof \\ lines',
    'password=hunter2',
    'Käufer bestätigt 🚚',
    '[4111111111111111]',
    '{"n":4111111111111111}',
    '415-555-2671',
    '\ud800',
    '\u0000\u0007/',
    '\ufffd',
    '1764460800000',
  ),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const name = fc.oneof(
  fc.constantFrom(
    'user_id',
    'http.status',
    'duration_ms',
    'order_id',
    'parcel',
    'password',
    '12',
    '__proto__',
    'a#2',
    'a',
  ),
  fc.constantFrom('resource.region', 'scope.name', 'trace_id', 'trace_flags', 'bob@example.com', 'a"b', ''),
  fc.string({ maxLength: 5 }),
)
const scalar = fc.oneof(
  fc.record({ stringValue: text }),
  fc.record({ intValue: fc.oneof(fc.integer(), fc.integer().map(String), odd) }),
  fc.record({
    doubleValue: fc.oneof(
      fc.double(),
      fc.integer({ min: -5000, max: 5000 }).map((n) => n / 100),
      odd,
    ),
  }),
  fc.record({ boolValue: fc.oneof(fc.boolean(), odd) }),
  fc.record({ bytesValue: fc.constant('AAEC') }),
  fc.constant({}),
)
const value = fc.oneof(
  { weight: 9, arbitrary: scalar },
  { weight: 1, arbitrary: fc.record({ arrayValue: fc.record({ values: fc.array(scalar, { maxLength: 2 }) }) }) },
)
const attributes = fc.array(fc.record({ key: name, value }), { maxLength: 4 })
const hex = (digits: number) =>
  fc.oneof(
    fc.string({ unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF')), minLength: digits, maxLength: digits }),
    fc.constantFrom('', '0'.repeat(digits), 'xyz'),
  )
const time = fc.oneof(
  fc.integer({ min: 0, max: 999_999_999 }).map((ns) => `1764460800${String(ns).padStart(9, '0')}`),
  fc.constantFrom('0', '', 0, '1764460800', '9999999999999999999', '99999999999999999999', 1764460800000000000),
)
const oddRecord = fc.record(
  {
    timeUnixNano: time,
    observedTimeUnixNano: time,
    severityNumber: fc.oneof(fc.integer({ min: 0, max: 120 }), fc.constantFrom('9', 'SEVERITY_NUMBER_WARN')),
    severityText: fc.oneof(fc.constantFrom('INFO', 'warn', '', 'bob@example.com'), text),
    body: fc.oneof({ weight: 5, arbitrary: fc.record({ stringValue: text }) }, { weight: 1, arbitrary: value }),
    attributes,
    traceId: hex(32),
    spanId: hex(16),
    flags: fc.oneof(fc.integer({ min: 0, max: 1000 }), odd),
    droppedAttributesCount: fc.oneof(fc.constant(0), odd),
    eventName: fc.constant('started'),
  },
  { requiredKeys: [] },
)
/** What exporters send; names may repeat. */
const plainRecord = fc.record({
  timeUnixNano: fc.integer({ min: 0, max: 999_999_999 }).map((ns) => `1764460800${String(ns).padStart(9, '0')}`),
  severityNumber: fc.integer({ min: 1, max: 24 }),
  severityText: fc.constantFrom('INFO', 'warn'),
  body: fc.record({ stringValue: text }),
  attributes: fc.array(
    fc.record({
      key: fc.oneof(
        { weight: 3, arbitrary: fc.constantFrom('user_id', 'http.status', 'parcel', 'a') },
        { weight: 1, arbitrary: name },
      ),
      value: fc.oneof(
        fc.record({ stringValue: fc.oneof(fc.constantFrom('u_17', 'a "b"\n', '4111111111111111'), text) }),
        fc.record({ intValue: fc.integer({ min: -500, max: 500 }).map(String) }),
        fc.record({ doubleValue: fc.integer({ min: -5000, max: 5000 }).map((n) => n / 100) }),
      ),
    }),
    { maxLength: 3 },
  ),
  traceId: fc.constantFrom('0123456789abcdef0123456789ABCDEF', ''),
  flags: fc.constantFrom(0, 1),
})
const record = fc.oneof(
  { weight: 3, arbitrary: plainRecord },
  {
    weight: 2,
    arbitrary: fc
      .tuple(plainRecord, oddRecord, fc.nat())
      .map(([plain, other, place]) => withOneOf(plain, other, place)),
  },
  { weight: 1, arbitrary: oddRecord },
)

/** The plain record with one field of the other one. */
function withOneOf(plain: object, other: object, place: number): object {
  const fields = Object.entries(other)
  const field = fields[place % Math.max(1, fields.length)]
  return field === undefined ? plain : { ...plain, [field[0]]: field[1] as unknown }
}
const request = fc.record({
  resourceLogs: fc.array(
    fc.record(
      {
        resource: fc.record({
          attributes: fc.oneof(
            fc.constant([{ key: 'service.name', value: { stringValue: 'cart' } }]),
            fc.array(
              fc.record({ key: fc.oneof(fc.constantFrom('service.name', 'host.name', 'region'), name), value }),
              {
                maxLength: 3,
              },
            ),
          ),
        }),
        scopeLogs: fc.array(
          fc.record(
            {
              scope: fc.oneof(
                fc.constant({ name: 'app' }),
                fc.record({ name: text, attributes }, { requiredKeys: [] }),
              ),
              logRecords: fc.array(record, { maxLength: 6 }),
              schemaUrl: fc.constantFrom('', '', '', 'https://x.test/1'),
            },
            { requiredKeys: ['logRecords'] },
          ),
          { minLength: 1, maxLength: 2 },
        ),
        schemaUrl: fc.constantFrom('', '', '', 'https://x.test/2'),
      },
      { requiredKeys: ['scopeLogs'] },
    ),
    { maxLength: 3 },
  ),
})

describe('the scanner for OTLP in JSON', () => {
  it('gives the same batches, byte for byte, and the same rejections as the exact decoder', () => {
    fc.assert(
      fc.property(request, (one) => expectSame(Buffer.from(JSON.stringify(one)))),
      { numRuns: RUNS },
    )
  })

  it('gives the same result as the exact decoder for requests with changed, missing and repeated bytes', () => {
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      removed: fc.integer({ min: 0, max: 4 }),
      added: fc.oneof(
        fc.constantFrom(
          '"',
          '\\',
          '{',
          '}',
          '[',
          ']',
          ',',
          ':',
          ' ',
          '\\u00e9',
          '\\ud83d',
          '\\/',
          '0',
          '-',
          '1e5',
          '.5',
        ),
        fc.constantFrom('"flags":1,', '"body":null,', '{},', '\n', '\u0001', 'null'),
        fc.uint8Array({ maxLength: 3 }),
      ),
    })
    fc.assert(
      fc.property(request, fc.array(change, { minLength: 1, maxLength: 3 }), (one, changes) => {
        let body = Buffer.from(JSON.stringify(one))
        for (const { at, removed, added } of changes) {
          const place = Math.floor(at * body.length)
          body = Buffer.concat([body.subarray(0, place), Buffer.from(added), body.subarray(place + removed)])
        }
        expectSame(body)
      }),
      { numRuns: RUNS },
    )
  })

  it.each([
    ['-0', '-0.0', '1.0', '01', '0.000001', '0.0000001', '123456789012', '1234567890123', '-12.25', '1e3', '1.'],
  ])('keeps a number in the same form as the exact decoder: %s', (...numbers) => {
    for (const number of numbers)
      for (const type of ['intValue', 'doubleValue'])
        for (const written of [number, `"${number}"`])
          expectSame(
            Buffer.from(
              `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1764460800000000001","attributes":[{"key":"n","value":{"${type}":${written}}}]}]}]}]}`,
            ),
          )
  })

  it('masks the value of an attribute whose name is one of a secret', () => {
    const attributes = [{ key: 'password', value: { stringValue: 'hunter2' } }]
    const logRecords = [{ timeUnixNano: '1764460800000000001', body: { stringValue: 'order 17' }, attributes }]
    const body = Buffer.from(JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))
    expect(JSON.stringify(outcomeOf(body, true))).not.toContain('hunter2')
    expectSame(body)
  })

  it('writes plain records without the exact decoder, also between records that need it', () => {
    const lines = [0, 1, 2].map((index) => ({
      timeUnixNano: `176446080000000000${index}`,
      severityNumber: 9,
      severityText: 'INFO',
      body: { stringValue: `order ${index} "placed"\nby user` },
      attributes: [
        { key: 'user_id', value: { stringValue: `u_${index}` } },
        { key: 'http.status', value: { intValue: '200' } },
        ...(index === 1 ? [{ key: 'list', value: { arrayValue: { values: [] } } }] : []),
      ],
      traceId: '0123456789abcdef0123456789ABCDEF',
      flags: 1,
    }))
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'cart' } }] }
    const body = Buffer.from(JSON.stringify({ resourceLogs: [{ resource, scopeLogs: [{ logRecords: lines }] }] }))
    const collector = new RecordCollector({ masker: createMasker(), receivedAtMs: NOW })
    let exact = 0
    const sink = {
      scanned: collector.scanned,
      add: (...args: Parameters<typeof collector.add>) => {
        exact++
        collector.add(...args)
      },
      reject: collector.reject.bind(collector),
    }
    expect(scanOtlpJson(body, sink)).toBe(true)
    expect({ exact, accepted: collector.accepted }).toEqual({ exact: 1, accepted: 3 })
    expectSame(body)
  })
})
