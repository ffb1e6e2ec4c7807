import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { Encoder, ExtData, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { addEntries, readMessage } from './decode.js'
import { MessageFramer } from './message-framer.js'

const SECONDS = 1_764_499_999
const bigints = new Encoder({ useBigInt64: true })
const pack = (value: unknown) => Buffer.from(encode(value))

function eventTime(seconds: number, nanos: number): ExtData {
  const data = Buffer.alloc(8)
  data.writeUInt32BE(seconds)
  data.writeUInt32BE(nanos, 4)
  return new ExtData(0, data)
}

function decode(message: Buffer): CollectedRecords {
  const read = readMessage(message)
  const sink = new CollectedRecords()
  if (read !== undefined) addEntries(read.tag, read.entries, sink)
  return sink
}

const base = {
  ...EMPTY_RECORD,
  timeMs: SECONDS * 1000 + 123,
  timeSubNs: 456_789,
  service: 'app.web',
  attributes: { 'fluent.tag': 'app.web' },
}
const time = eventTime(SECONDS, 123_456_789)
const entries = Buffer.concat([pack([time, { message: 'one' }]), pack([time, { message: 'two' }])])
const oneAndTwo = [
  { ...base, message: 'one' },
  { ...base, message: 'two' },
]

describe('a message of Forward', () => {
  it.each<[string, unknown, object[]]>([
    ['Message mode', ['app.web', time, { message: 'one' }], oneAndTwo.slice(0, 1)],
    ['Message mode with options', ['app.web', time, { message: 'one' }, { chunk: 'x' }], oneAndTwo.slice(0, 1)],
    [
      'Message mode with seconds',
      ['app.web', SECONDS, { message: 'one' }],
      [{ ...base, message: 'one', timeMs: SECONDS * 1000, timeSubNs: 0 }],
    ],
    [
      'Forward mode',
      [
        'app.web',
        [
          [time, { message: 'one' }],
          [time, { message: 'two' }],
        ],
      ],
      oneAndTwo,
    ],
    [
      'Forward mode with metadata of Fluent Bit',
      ['app.web', [[[time, { from: 'tail' }], { message: 'one' }]]],
      [{ ...base, message: 'one', attributes: { from: 'tail', 'fluent.tag': 'app.web' } }],
    ],
    ['PackedForward mode, binary', ['app.web', entries, { size: 2 }], oneAndTwo],
    ['no entries', ['app.web', []], []],
  ])('gives the records of %s', (_mode, message, expected) => {
    const { records, rejections } = decode(pack(message))
    expect(rejections).toEqual([])
    expect(plainOf(records)).toEqual(plainOf(expected as LogRecord[]))
  })

  it('gives the records of PackedForward mode as text', () => {
    const length = Buffer.alloc(3)
    length[0] = 0xda
    length.writeUInt16BE(entries.length, 1)
    const message = Buffer.concat([Buffer.from([0x92]), pack('app.web'), length, entries])
    expect(plainOf(decode(message).records)).toEqual(plainOf(oneAndTwo))
  })

  it('says that entries are compressed, and refuses other methods than gzip', () => {
    const packed = gzipSync(entries)
    expect(readMessage(pack(['t', packed, { compressed: 'gzip' }]))?.entries).toEqual({
      mode: 'packed',
      bytes: packed,
      compression: 'gzip',
    })
    expect(() => readMessage(pack(['t', packed, { compressed: 'zstd' }]))).toThrow(DecodeFault)
  })

  it('gives the chunk byte for byte', () => {
    const chunk = Buffer.from([0xff, 0x00, 0x61])
    const option = Buffer.concat([
      Buffer.from([0x82]),
      pack('size'),
      pack(1),
      pack('chunk'),
      Buffer.from([0xa3]),
      chunk,
    ])
    const message = Buffer.concat([Buffer.from([0x93]), pack('t'), pack([]), option])
    expect(readMessage(message)?.chunk).toEqual(chunk)
    expect(readMessage(pack(['t', [], {}]))?.chunk).toBeUndefined()
    expect(readMessage(pack(['t', [], null]))?.chunk).toBeUndefined()
  })

  it('keeps every kind of value', () => {
    const record = {
      message: 'm',
      time: 'its own',
      big: 2n ** 63n,
      least: -(2n ** 63n),
      int: -5,
      float: 1.5,
      nan: Number.NaN,
      list: [1, ['x'], null, true],
      map: { a: { b: '' } },
      level: 'error',
      kubernetes: { container_name: 'cart' },
    }
    const message = Buffer.concat([Buffer.from([0x93]), pack('t'), pack(time), Buffer.from(bigints.encode(record))])
    expect(plainOf(decode(message).records)).toEqual(
      plainOf([
        {
          ...base,
          service: 'cart',
          severity: 17,
          severityText: 'error',
          message: 'm',
          attributes: {
            time: 'its own',
            big: '9223372036854775808',
            least: '-9223372036854775808',
            int: -5,
            float: 1.5,
            nan: 'NaN',
            list: [1, ['x'], null, true],
            map: { a: { b: '' } },
            kubernetes: { container_name: 'cart' },
            'fluent.tag': 't',
          },
        },
      ]),
    )
  })

  it('takes binary data as text and repairs invalid UTF-8 in both', () => {
    const { records } = decode(
      pack([
        't',
        [
          [time, { message: Buffer.from([0x61, 0xff]) }],
          [time, { message: Buffer.from('ä') }],
        ],
      ]),
    )
    expect(records.map(({ message, flags }) => [message, flags])).toEqual([
      ['a\ufffd', LOG_FLAGS.utf8Repaired],
      ['ä', 0],
    ])
  })

  it('refuses broken entries one by one', () => {
    const message = pack([
      't',
      [
        [time, { message: 'one' }],
        7,
        [time],
        [time, 'text'],
        ['soon', {}],
        [new ExtData(9, Buffer.alloc(8)), {}],
        [time, { message: 'two' }],
      ],
    ])
    const { records, rejections } = decode(message)
    expect(records.map(({ message }) => message)).toEqual(['one', 'two'])
    expect(rejections.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5])
  })

  it('refuses what follows in a packed message when an entry does not end', () => {
    const { records, rejections } = decode(pack(['t', Buffer.concat([entries, Buffer.from([0x92, 0xc1])])]))
    expect(records).toHaveLength(2)
    expect(rejections).toEqual([
      { index: 2, code: 'invalid_record', reason: expect.stringContaining('cannot be read from here on') },
    ])
  })

  it('keeps what is nested too deeply as base64, also 100,000 levels', () => {
    const deep = Buffer.concat([Buffer.alloc(100_000, 0x91), Buffer.from([0xc0])])
    const message = Buffer.concat([Buffer.from([0x93]), pack('t'), pack(time), Buffer.from([0x81]), pack('a'), deep])
    expect(decode(message).records[0]?.flags).toBe(LOG_FLAGS.depthCut)
  })

  it.each([7, 'GET / HTTP/1.1', {}, [], ['t'], ['t', [], {}, {}, {}], [7, []], ['t', SECONDS], ['t', [], 'options']])(
    'is refused when it is %j',
    (message) => {
      expect(() => readMessage(pack(message))).toThrow(DecodeFault)
    },
  )

  it('gives a verdict or a precise error, whatever it contains', () => {
    const value = fc.oneof(fc.jsonValue(), fc.uint8Array({ maxLength: 30 }), fc.constant(time))
    const message = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc.array(value, { maxLength: 5 }).map(pack),
      fc.tuple(fc.constant('t'), fc.array(value, { maxLength: 4 })).map(pack),
      fc.tuple(fc.constant('t'), fc.uint8Array({ maxLength: 60 })).map(pack),
    )
    fc.assert(
      fc.property(message, (bytes) => {
        try {
          decode(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeFault)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('the framer of messages', () => {
  it('finds the same messages however the bytes are cut', () => {
    const message = fc.jsonValue().map(pack)
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        (messages, sizes) => {
          const framer = new MessageFramer(1_000_000)
          const all = Buffer.concat(messages)
          const found: Buffer[] = []
          for (let at = 0, turn = 0; at < all.length; turn++) {
            const size = sizes[turn % sizes.length] as number
            found.push(...framer.push(all.subarray(at, at + size)))
            at += size
          }
          expect(found).toEqual(messages)
          expect(framer.pendingBytes).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  it.each([
    ['a text that claims 4 GiB', 'dbffffffff'],
    ['an array that claims 4 billion items', 'ddffffffff'],
    ['arrays inside of arrays that together claim too many', 'dd000f0000'.repeat(20)],
    ['the byte that begins nothing', 'c1'],
  ])('refuses %s at once', (_what, hex) => {
    expect(() => new MessageFramer(1_000_000).push(Buffer.from(hex, 'hex'))).toThrow(DecodeFault)
  })

  it('refuses a message that grows beyond the limit', () => {
    const framer = new MessageFramer(1000)
    framer.push(Buffer.from([0xdc, 0x03, 0x00]))
    const item = pack('x'.repeat(90))
    expect(() => {
      for (let index = 0; index < 20; index++) framer.push(item)
    }).toThrow('more than 1000 bytes')
  })
})
