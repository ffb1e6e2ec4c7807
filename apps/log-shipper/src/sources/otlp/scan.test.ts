import { describe, expect, it } from '@jest/globals'
import { createMasker } from '@millrace/masking'
import { propertyRuns } from '@millrace/testing'
import fc from 'fast-check'
import { RecordCollector } from '../../batch/record-collector.js'
import { DecodeFault } from '../../fields/decode-fault.js'
import type { LogSink } from '../../records/log-sink.js'
import { bytesField } from '../protobuf-writer.js'
import { decodeOtlp } from './decode.js'

const NOW = Date.UTC(2026, 10, 30)
const RUNS = propertyRuns(300)

/** The collector, or the same without the way for scanned lines. */
function outcomeOf(body: Buffer, isScanned: boolean) {
  const collector = new RecordCollector({ masker: createMasker({ idNames: ['parcel'] }), receivedAtMs: NOW })
  const exact: LogSink = { add: (record) => collector.add(record), reject: (...args) => collector.reject(...args) }
  try {
    decodeOtlp(body, isScanned ? collector : exact)
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

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

const tagged = (tag: number, content: Buffer) => Buffer.concat([Buffer.from([tag]), content])
const fixed64 = (tag: number, value: bigint) => {
  const content = Buffer.alloc(8)
  content.writeBigUInt64LE(BigInt.asUintN(64, value))
  return tagged(tag, content)
}
const double = (tag: number, value: number) => {
  const content = Buffer.alloc(8)
  content.writeDoubleLE(value)
  return tagged(tag, content)
}
const fixed32 = (tag: number, value: number) => {
  const content = Buffer.alloc(4)
  content.writeUInt32LE(value)
  return tagged(tag, content)
}

const text = fc.oneof(
  fc.constantFrom(
    'order 17 was placed',
    'mail to bob@example.com',
    'a "quoted"\n\\text',
    'password=x',
    'Käufer 🚚',
    '[4111111111111111]',
    '',
  ),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 300 }),
)
const name = fc.constantFrom(
  'user_id',
  'http.status',
  'parcel',
  'password',
  '12',
  '__proto__',
  'a',
  'a#2',
  'scope.x',
  'trace_id',
  'ä',
  'a"b',
  '',
)
const value = fc.oneof(
  text.map((one) => bytesField(1, one)),
  fc.boolean().map((one) => tagged(0x10, Buffer.from([Number(one)]))),
  fc
    .oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: 0n, max: 2n ** 42n }),
      fc.constant(4_222_222_222_222n),
    )
    .map((one) => tagged(0x18, varint(one))),
  fc
    .oneof(
      fc.double(),
      fc.integer().map((one) => one / 100),
      fc.constantFrom(-0, 1e-7, 4111111111111111),
    )
    .map((one) => double(0x21, one)),
  fc.constant(Buffer.alloc(0)),
  fc.constant(bytesField(5, bytesField(1, bytesField(1, 'x')))),
)
const attribute = fc.tuple(name, value).map(([key, one]) => Buffer.concat([bytesField(1, key), bytesField(2, one)]))
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 999_999_999n }).map((ns) => 1_764_460_800_000_000_000n + ns),
  fc.constantFrom(0n, 1n, 2n ** 64n - 1n),
)
const id = (length: number) =>
  fc.oneof(
    fc.uint8Array({ minLength: length, maxLength: length }),
    fc.constantFrom(new Uint8Array(length), new Uint8Array(0), new Uint8Array(3)),
  )
const field = fc.oneof(
  { weight: 3, arbitrary: time.map((one) => fixed64(0x09, one)) },
  time.map((one) => fixed64(0x59, one)),
  fc.integer({ min: 0, max: 300 }).map((one) => tagged(0x10, varint(BigInt(one)))),
  fc.oneof(fc.constantFrom('INFO', 'warn', 'bob@example.com'), text).map((one) => bytesField(3, one)),
  { weight: 3, arbitrary: text.map((one) => bytesField(5, bytesField(1, one))) },
  value.map((one) => bytesField(5, one)),
  { weight: 3, arbitrary: attribute.map((one) => bytesField(6, one)) },
  fc.constantFrom(0, 1, 1000).map((one) => fixed32(0x45, one)),
  id(16).map((one) => bytesField(9, Buffer.from(one))),
  id(8).map((one) => bytesField(10, Buffer.from(one))),
  fc.constant(bytesField(12, 'started')),
  fc.constant(tagged(0x38, Buffer.from([3]))),
)
/** What exporters send. */
const plainFields = fc
  .tuple(time, text, fc.array(attribute, { maxLength: 2 }))
  .map(([at, body, attributes]) => [
    fixed64(0x09, at),
    tagged(0x10, Buffer.from([9])),
    bytesField(3, 'INFO'),
    bytesField(5, bytesField(1, body)),
    ...attributes.map((one) => bytesField(6, one)),
  ])
const fields = fc.oneof(
  { weight: 3, arbitrary: plainFields },
  { weight: 1, arbitrary: fc.tuple(plainFields, field).map(([plain, other]) => [...plain, other]) },
  { weight: 1, arbitrary: fc.array(field, { maxLength: 8 }) },
)
const record = fields.map((all) => bytesField(2, Buffer.concat(all)))
const origin = fc.array(
  fc
    .tuple(fc.oneof(fc.constantFrom('service.name', 'host.name', 'region'), name), value)
    .map(([key, one]) => bytesField(1, Buffer.concat([bytesField(1, key), bytesField(2, one)]))),
  { maxLength: 3 },
)
const request = fc
  .array(fc.tuple(origin, fc.array(record, { maxLength: 5 })), { maxLength: 3 })
  .map((all) =>
    Buffer.concat(
      all.map(([attributes, records]) =>
        bytesField(1, Buffer.concat([bytesField(1, Buffer.concat(attributes)), bytesField(2, Buffer.concat(records))])),
      ),
    ),
  )

describe('the scanner for OTLP in protobuf', () => {
  it('gives the same batches, byte for byte, and the same rejections as the exact decoder', () => {
    fc.assert(fc.property(request, expectSame), { numRuns: RUNS })
  })

  it('gives the same result as the exact decoder for requests with changed, missing and repeated bytes', () => {
    const change = fc.tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: 0, max: 3 }),
      fc.uint8Array({ maxLength: 3 }),
    )
    fc.assert(
      fc.property(request, fc.array(change, { minLength: 1, maxLength: 3 }), (one, changes) => {
        let body = one
        for (const [at, removed, added] of changes) {
          const place = Math.floor(at * body.length)
          body = Buffer.concat([body.subarray(0, place), Buffer.from(added), body.subarray(place + removed)])
        }
        expectSame(body)
      }),
      { numRuns: RUNS },
    )
  })

  it('masks the value of an attribute whose name is one of a secret', () => {
    const attribute = Buffer.concat([bytesField(1, 'password'), bytesField(2, bytesField(1, 'hunter2'))])
    const one = Buffer.concat([
      fixed64(0x09, 1_764_460_800_000_000_001n),
      bytesField(5, bytesField(1, 'order 17')),
      bytesField(6, attribute),
    ])
    const body = bytesField(1, bytesField(2, bytesField(2, one)))
    expect(JSON.stringify(outcomeOf(body, true))).not.toContain('hunter2')
    expectSame(body)
  })

  it('writes plain records without the exact decoder, also between records that need it', () => {
    const plain = Buffer.concat([
      fixed64(0x09, 1_764_460_800_000_000_001n),
      tagged(0x10, Buffer.from([9])),
      bytesField(3, 'INFO'),
      bytesField(5, bytesField(1, 'order "17"\nwas placed by Käufer')),
      bytesField(6, Buffer.concat([bytesField(1, 'user_id'), bytesField(2, bytesField(1, 'u_1'))])),
      bytesField(6, Buffer.concat([bytesField(1, 'http.status'), bytesField(2, tagged(0x18, varint(200n)))])),
      bytesField(6, Buffer.concat([bytesField(1, 'duration_ms'), bytesField(2, double(0x21, 12.5))])),
      bytesField(6, Buffer.concat([bytesField(1, 'ok'), bytesField(2, tagged(0x10, Buffer.from([1])))])),
      fixed32(0x45, 1),
      bytesField(9, Buffer.from('0123456789abcdef0123456789abcdef', 'hex')),
    ])
    const nested = Buffer.concat([
      plain,
      bytesField(6, Buffer.concat([bytesField(1, 'list'), bytesField(2, bytesField(5, ''))])),
    ])
    const records = Buffer.concat([plain, nested, plain].map((one) => bytesField(2, one)))
    const body = bytesField(1, bytesField(2, records))
    const collector = new RecordCollector({ masker: createMasker(), receivedAtMs: NOW })
    let exact = 0
    const sink: LogSink = {
      scanned: collector.scanned,
      add: (one) => {
        exact++
        collector.add(one)
      },
      reject: (...args) => collector.reject(...args),
    }
    decodeOtlp(body, sink)
    expect({ exact, accepted: collector.accepted }).toEqual({ exact: 1, accepted: 3 })
    expectSame(body)
  })
})
