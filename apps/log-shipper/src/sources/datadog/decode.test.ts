import { describe, expect, it } from '@jest/globals'
import { DecodeFault } from '../../fields/decode-fault.js'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { decodeDatadogJson, decodeDatadogText } from './decode.js'

const NONE = { source: '', service: '', hostname: '', tags: '' }

function decode(body: unknown, defaults = NONE): CollectedRecords {
  const sink = new CollectedRecords()
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  decodeDatadogJson(Buffer.from(text), defaults, sink)
  return sink
}

describe('a log of Datadog', () => {
  const log = { message: 'm' }
  const base = { ...EMPTY_RECORD, message: 'm' }

  it.each<[string, object, Partial<LogRecord>]>([
    ['service and host name', { service: 'web', hostname: 'node-1' }, { service: 'web', host: 'node-1' }],
    ['a source, as attribute', { ddsource: 'nginx' }, { attributes: { ddsource: 'nginx' } }],
    [
      'tags, as object',
      { ddtags: 'env:prod,version:1:2,bare, ,service:tagged' },
      { service: 'tagged', attributes: { ddtags: { env: 'prod', version: '1:2', bare: '', service: 'tagged' } } },
    ],
    ['a time in milliseconds', { timestamp: 1764499999123 }, { timeMs: 1764499999123 }],
    ['a time as text', { date: '2025-11-30T10:53:19.123456789Z' }, { timeMs: 1764499999123, timeSubNs: 456789 }],
    ['a status of syslog', { status: 3 }, { severity: 17, severityText: '3' }],
    ['a status that is the beginning of a level', { status: 'Warn' }, { severity: 13, severityText: 'Warn' }],
    ['the status emergency', { status: 'emergency' }, { severity: 21, severityText: 'emergency' }],
    ['the status error', { status: 'ERR' }, { severity: 17, severityText: 'ERR' }],
    ['a status that begins with no level', { status: 'xyz' }, { severity: 9, severityText: 'xyz' }],
    [
      'decimal ids of a tracer',
      { dd: { trace_id: '18446744073709551615', span_id: 255 } },
      { traceId: '0000000000000000ffffffffffffffff', spanId: '00000000000000ff' },
    ],
    [
      'an id of 128 bits',
      { 'dd.trace_id': '0AF7651916CD43DD8448EB211C80319C' },
      { traceId: '0af7651916cd43dd8448eb211c80319c' },
    ],
    ['any other member', { a: { b: [1] } }, { attributes: { a: { b: [1] } } }],
  ])('may have %s', (_name, more, expected) => {
    expect(plainOf(decode([{ ...log, ...more }]).records)).toEqual([{ ...base, ...expected, timeMs: expected.timeMs }])
  })

  it('says more than the query of its request', () => {
    const defaults = { source: 's', service: 'q', hostname: 'h', tags: 'env:test' }
    const { records } = decode(
      [log, { ...log, service: 'own', ddsource: 'own', hostname: 'own', ddtags: 'a:b' }],
      defaults,
    )
    expect(plainOf(records)).toMatchObject([
      { service: 'q', host: 'h', attributes: { ddsource: 's', ddtags: { env: 'test' } } },
      { service: 'own', host: 'own', attributes: { ddsource: 'own', ddtags: { a: 'b', env: 'test' } } },
    ])
  })

  it('comes in a list, alone, or one after the other', () => {
    for (const body of ['[{"message":"m"},{"message":"m"}]', '{"message":"m"}{"message":"m"}', '{"message":"m"}\n"m"'])
      expect(decode(body).records.map(({ message }) => message)).toEqual(['m', 'm'])
    expect(decode('{"message":"m"}').records).toHaveLength(1)
  })

  it('is refused alone when it is no object and no text', () => {
    const { records, rejections } = decode([log, 5, null, log])
    expect([records.length, rejections.map(({ index }) => index)]).toEqual([2, [1, 2]])
  })

  it('is not what the empty object is by which an agent asks whether it may send', () => {
    expect(decode('{}').records).toEqual([])
    expect(decode('[]').records).toEqual([])
    expect(decode('[{},{}]').records).toHaveLength(2)
  })

  it('marks invalid UTF-8 only where it was repaired', () => {
    const { records } = decode(
      Buffer.concat([Buffer.from('[{"message":"'), Buffer.from([0xff]), Buffer.from('"},{"message":"m"}]')]),
    )
    expect(records.map(({ flags }) => flags)).toEqual([LOG_FLAGS.utf8Repaired, 0])
  })

  it('is a line in a body of text', () => {
    const sink = new CollectedRecords()
    decodeDatadogText(Buffer.from('one\r\n\n{"a":1}\nlast'), { ...NONE, service: 'q' }, sink)
    expect(sink.records.map(({ message, service }) => [message, service])).toEqual([
      ['one', 'q'],
      ['{"a":1}', 'q'],
      ['last', 'q'],
    ])
  })

  it('refuses its whole request when the body is not JSON', () => {
    for (const body of ['[{"message":"m"}', '{"message":"m"}}', '[1,]']) expect(() => decode(body)).toThrow(DecodeFault)
  })
})
