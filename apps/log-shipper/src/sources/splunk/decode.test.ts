import { describe, expect, it } from '@jest/globals'
import type { LogRecord } from '../../records/log-record.js'
import { CollectedRecords } from '../../testing/collect-records.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { decodeSplunkEvents, decodeSplunkRaw, SPLUNK_FAULTS } from './decode.js'

function decode(body: string): CollectedRecords & { count: number } {
  const sink = new CollectedRecords()
  return Object.assign(sink, { count: decodeSplunkEvents(Buffer.from(body), sink) })
}

describe('an event of Splunk', () => {
  it.each<[string, string, Partial<LogRecord>]>([
    ['a text', '{"event":"m"}', { message: 'm' }],
    ['a number', '{"event":5}', { message: '5' }],
    ['a list', '{"event":[1,"a"]}', { message: '[1,"a"]' }],
    [
      'an object with the fields of a line',
      '{"event":{"message":"m","severity":"warn","service":"web","a":1}}',
      { message: 'm', severity: 13, severityText: 'warn', service: 'web', attributes: { a: 1 } },
    ],
    [
      'an object as the libraries of Splunk send it',
      '{"event":{"message":{"message":"m","a":1},"severity":"warn"}}',
      { message: 'm', severity: 13, severityText: 'warn', attributes: { a: 1 } },
    ],
    [
      'a time with more digits than a double has',
      '{"event":"m","time":1764499999.123456789}',
      { message: 'm', timeMs: 1_764_499_999_123, timeSubNs: 456_789 },
    ],
    ['a time as text', '{"event":"m","time":"1764499999.5"}', { message: 'm', timeMs: 1_764_499_999_500 }],
    ['a time that is none', '{"event":"m","time":"soon"}', { message: 'm', attributes: { 'splunk.time': 'soon' } }],
    [
      'host, source, source type and index',
      '{"event":"m","host":"h","source":"s","sourcetype":"t","index":"i"}',
      { message: 'm', host: 'h', service: 's', attributes: { source: 's', sourcetype: 't', index: 'i' } },
    ],
    [
      'indexed fields',
      '{"event":"m","fields":{"service.name":"web","severity":"error","message":"f","time":"5","list":["a"]}}',
      {
        message: 'm',
        service: 'web',
        severity: 17,
        severityText: 'error',
        attributes: { message: 'f', time: '5', list: ['a'] },
      },
    ],
    [
      'a time of its own besides that of the envelope',
      '{"event":{"message":"m","time":"2020-01-01T00:00:00Z"},"time":1764499999}',
      { message: 'm', timeMs: 1_764_499_999_000, attributes: { time: '2020-01-01T00:00:00Z' } },
    ],
  ])('may be or have %s', (_name, body, expected) => {
    expect(plainOf(decode(body).records)).toEqual(plainOf([{ ...EMPTY_RECORD, ...expected }]))
  })

  it('comes after another one with or without a space, or in a list', () => {
    for (const body of [
      '{"event":"a"}{"event":"b"}',
      '{"event":"a"}\n\n{"event":"b"}\n',
      '[{"event":"a"},{"event":"b"}]',
    ])
      expect(decode(body).records.map(({ message }) => message)).toEqual(['a', 'b'])
    expect(decode(' \n').count).toBe(0)
  })

  it.each([
    ['has no text', '{"time":1}', SPLUNK_FAULTS.required],
    ['has a text of no length', '{"event":""}', SPLUNK_FAULTS.blank],
    ['has indexed fields that are no object', '{"event":"m","fields":[1]}', SPLUNK_FAULTS.fields],
    ['is no object', '5', `${SPLUNK_FAULTS.format}: not an object`],
  ])('is refused alone when it %s', (_name, event, reason) => {
    const { records, rejections } = decode(`{"event":"a"}${event}{"event":"b"}`)
    expect(records.map(({ message }) => message)).toEqual(['a', 'b'])
    expect(rejections).toMatchObject([{ index: 1, reason }])
  })

  it('is kept when JSON after it is broken', () => {
    const { records, rejections, count } = decode('{"event":"a"}{"event":"b"}{"event":')
    expect([records.length, rejections.length, count]).toEqual([2, 1, 3])
    expect(rejections[0]).toMatchObject({ index: 2, code: 'invalid_json' })
  })

  it('is a line of a raw body, with what the query says of all', () => {
    const sink = new CollectedRecords()
    const count = decodeSplunkRaw(Buffer.from('one\r\n\n{"a":1}'), { host: 'h', source: 's', time: '1764499999' }, sink)
    expect(count).toBe(2)
    expect(plainOf(sink.records)).toMatchObject(
      ['one', '{"a":1}'].map((message) => ({ message, host: 'h', service: 's', timeMs: 1_764_499_999_000 })),
    )
  })
})
