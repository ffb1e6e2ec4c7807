import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { ChunkAssembler, isChunk } from './chunk-assembler.js'
import { decodeGelf } from './decode.js'
import { GelfFramer } from './gelf-framer.js'
import { unpackGelf } from './unpack.js'

describe('a message of GELF', () => {
  const decode = (text: string) => plainOf([decodeGelf(Buffer.from(text))])
  const head = '{"version":"1.1","host":"h","short_message":"m"'
  const base = { ...EMPTY_RECORD, host: 'h', message: 'm' }

  it.each<[string, string, Partial<LogRecord>]>([
    ['nothing else', '', {}],
    ['a time', ',"timestamp":1764499999.1234567890', { timeMs: 1_764_499_999_123, timeSubNs: 456_789 }],
    ['a level of syslog', ',"level":4', { severity: 13, severityText: 'warning' }],
    ['a level that is none', ',"level":"x"', { attributes: { level: 'x' } }],
    ['a full message', ',"full_message":"m\\nat x"', { message: 'm\nat x', attributes: { short_message: 'm' } }],
    ['additional fields', ',"_a":1,"_b":"x"', { attributes: { a: 1, b: 'x' } }],
    [
      'fields that others write with and without an underscore',
      ',"_line":1,"line":2',
      { attributes: { line: 1, 'line#2': 2 }, flags: LOG_FLAGS.keysRepeated },
    ],
    ['the service', ',"_service":"web"', { service: 'web' }],
    ['a name for the service', ',"facility":"web"', { service: 'web', attributes: { facility: 'web' } }],
    [
      'ids of a trace',
      ',"_trace_id":"0af7651916cd43dd8448eb211c80319c","_span_id":"b7ad6b7169203331"',
      { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
    ],
    [
      'a field that is called like the message',
      ',"_message":"x","_time":"y"',
      { attributes: { message: 'x', time: 'y' } },
    ],
  ])('may have %s', (_name, more, expected) => {
    expect(decode(`${head}${more}}`)).toEqual(plainOf([{ ...base, ...expected }]))
  })

  it('must be a JSON object', () => {
    for (const text of ['', '5', '[]', '{"a":']) expect(() => decodeGelf(Buffer.from(text))).toThrow(DecodeFault)
  })

  it('is unpacked from gzip and zlib, and not to more than 100 times its size or the limit', () => {
    const text = Buffer.from(`${head}}`)
    for (const bytes of [text, gzipSync(text), deflateSync(text)]) expect(unpackGelf(bytes, 1e6)).toEqual(text)
    const zeros = Buffer.alloc(20_000_000, 32)
    for (const bomb of [gzipSync(zeros), deflateSync(zeros)]) expect(() => unpackGelf(bomb, 4e6)).toThrow(DecodeFault)
    expect(() => unpackGelf(Buffer.from([0x1f, 0x8b, 1, 2, 3]), 1e6)).toThrow(DecodeFault)
  })
})

describe('the framer of GELF over TCP', () => {
  it('finds the same messages however the bytes are cut, and only the beginning of one that is too long', () => {
    const sent = ['{"a":1}', 'x'.repeat(100), '', '{"b":2}\n', 'y'.repeat(101)]
    const bytes = Buffer.from(sent.join('\0'))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: bytes.length })), (cuts) => {
        const framer = new GelfFramer(100)
        const frames = []
        let start = 0
        for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
          frames.push(...framer.push(bytes.subarray(start, cut)))
          start = Math.max(start, cut)
        }
        frames.push(...framer.end())
        expect(frames.map(({ bytes: found, isTooLong }) => [found.toString(), isTooLong])).toEqual([
          ['{"a":1}', false],
          ['x'.repeat(100), false],
          ['{"b":2}\n', false],
          ['y'.repeat(100), true],
        ])
      }),
    )
  })
})

describe('the assembler of chunks', () => {
  const chunk = (id: number, number: number, count: number, text = `${number}`) => {
    const header = Buffer.alloc(12)
    header[0] = 0x1e
    header[1] = 0x0f
    header.writeUInt32BE(id, 2)
    header[10] = number
    header[11] = count
    return Buffer.concat([header, Buffer.from(text)])
  }

  it('puts chunks together in their order, whatever order they come in, once each, for each sender', () => {
    const assembler = new ChunkAssembler(
      () => 0,
      () => {},
    )
    const results = [
      assembler.push(chunk(1, 2, 3), 'a'),
      assembler.push(chunk(1, 0, 3), 'b'),
      assembler.push(chunk(1, 0, 3), 'a'),
      assembler.push(chunk(1, 0, 3, 'again'), 'a'),
      assembler.push(chunk(1, 1, 3), 'a'),
    ]
    expect(results.map(({ kind }) => kind)).toEqual(['waits', 'waits', 'waits', 'waits', 'message'])
    expect(results[4]).toEqual({ kind: 'message', bytes: Buffer.from('012') })
    expect(isChunk(chunk(1, 0, 1))).toBe(true)
  })

  it('refuses chunks whose numbers cannot be right', () => {
    const assembler = new ChunkAssembler(
      () => 0,
      () => {},
    )
    for (const bad of [chunk(1, 3, 3), chunk(1, 0, 0), chunk(1, 0, 129), chunk(1, 0, 2, ''), Buffer.from([0x1e, 0x0f])])
      expect(assembler.push(bad, 'a').kind).toBe('invalid')
    assembler.push(chunk(1, 0, 2), 'a')
    expect(assembler.push(chunk(1, 1, 3), 'a').kind).toBe('invalid')
  })

  it('drops and counts messages that are not complete after 5 seconds, and the oldest ones beyond its memory', () => {
    let now = 0
    let dropped = 0
    const assembler = new ChunkAssembler(
      () => now,
      (messages) => {
        dropped += messages
      },
    )
    assembler.push(chunk(1, 0, 2), 'a')
    now = 5_001
    expect(assembler.push(chunk(1, 1, 2), 'a').kind).toBe('waits')
    expect(dropped).toBe(1)
    const big = 'x'.repeat(60_000)
    for (let id = 2; id < 1_000; id++) assembler.push(chunk(id, 0, 2, big), 'a')
    // 16 MiB of 60,000 bytes each are 279 messages.
    expect(dropped).toBeGreaterThan(700)
    for (let id = 0; id < 100_000; id++) assembler.push(chunk(id, 0, 2, '1'), 'b')
    expect(dropped).toBeGreaterThan(85_000)
  })
})
