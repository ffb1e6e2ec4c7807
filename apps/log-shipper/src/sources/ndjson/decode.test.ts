import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import type { LogRejection, LogSink } from '../../records/log-sink.js'
import { decodeNdjson } from './decode.js'

function decode(body: string | Buffer) {
  const records: LogRecord[] = []
  const rejections: LogRejection[] = []
  const sink: LogSink = {
    add: (record) => records.push(record),
    reject: (index, code, reason) => rejections.push({ index, code, reason }),
  }
  decodeNdjson(Buffer.from(body), sink)
  return { records, rejections }
}

describe('the NDJSON decoder', () => {
  it('finds time, level, message, service, host and ids under their usual names, and keeps the rest as attributes', () => {
    const line = {
      '@timestamp': '2026-11-30T12:00:00.000000123Z',
      level: 'WARN',
      msg: 'hello',
      service: { name: 'cart' },
      hostname: 'a',
      trace_id: '0AF7651916CD43DD8448EB211C80319C',
      span_id: '0000000000000000',
      order: 7,
      nested: { a: [1] },
    }
    expect(decode(JSON.stringify(line)).records).toEqual([
      {
        timeMs: Date.UTC(2026, 10, 30, 12),
        timeSubNs: 123,
        severity: 13,
        severityText: 'WARN',
        service: 'cart',
        host: 'a',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        spanId: '',
        message: 'hello',
        attributes: { order: 7, nested: { a: [1] } },
        flags: 0,
        originalBytes: 0,
      },
    ])
  })

  it('reads a line of pino', () => {
    const [record] = decode('{"level":50,"time":1764504000000,"pid":1,"hostname":"a","msg":"failed"}').records
    expect(record).toMatchObject({ severity: 17, timeMs: 1_764_504_000_000, host: 'a', message: 'failed' })
  })

  it('takes the severity number before the name of the level', () => {
    expect(decode('{"severity_number":21,"level":"debug"}').records[0]).toMatchObject({
      severity: 21,
      severityText: 'debug',
    })
  })

  it('leaves a field of another type than expected among the attributes', () => {
    const [record] = decode(
      '{"time":"later","message":{"a":1},"trace_id":"xyz","service":{"name":"a","version":1}}',
    ).records
    expect(record?.attributes).toEqual({
      time: 'later',
      message: { a: 1 },
      trace_id: 'xyz',
      service: { version: 1 },
    })
  })

  it('refuses a bad line alone, with its index among the lines that are not blank', () => {
    const { records, rejections } = decode('{"msg":"a"}\n\n   \r\n{"msg":\n[1]\n{"msg":"b"}\r\n')
    expect(records.map(({ message }) => message)).toEqual(['a', 'b'])
    expect(rejections.map(({ index, code }) => [index, code])).toEqual([
      [1, 'invalid_json'],
      [2, 'not_an_object'],
    ])
  })

  it('accepts one JSON array, a byte order mark, and a last line without a line feed', () => {
    expect(decode('\ufeff[{"msg":"a"},{"msg":"b"}]').records.length).toBe(2)
    expect(decode('\ufeff{"msg":"a"}\n{"msg":"b"}').records.length).toBe(2)
  })

  it('repairs invalid UTF-8 and flags the line, and no other line', () => {
    const body = Buffer.concat([Buffer.from('{"msg":"a'), Buffer.from([0xff]), Buffer.from('"}\n{"msg":"b"}')])
    const { records } = decode(body)
    expect(records.map(({ message, flags }) => [message, flags])).toEqual([
      ['a\ufffd', LOG_FLAGS.utf8Repaired],
      ['b', 0],
    ])
  })

  it('gives a verdict for each line of any bytes and never throws', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.oneof(fc.json(), fc.string()), { maxLength: 10 }).map((lines) => Buffer.from(lines.join('\n'))),
    )
    fc.assert(
      fc.property(bytes, (body) => {
        const { records, rejections } = decode(Buffer.from(body))
        expect(records.length + rejections.length).toBeLessThanOrEqual(body.length + 1)
      }),
      { numRuns: 500 },
    )
  })

  it('keeps its time in proportion to a body of a million brackets', () => {
    expect(decode('['.repeat(1_000_000)).rejections.length).toBe(1)
    expect(decode('[\n'.repeat(100_000)).rejections.length).toBe(100_000)
  })
})
