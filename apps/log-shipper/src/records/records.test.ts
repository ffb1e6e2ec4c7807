import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { flagNames, LOG_FLAGS, type LogRecord } from './log-record.js'
import { formatTime, fromNanoseconds, parseTime } from './parse-time.js'
import { limitRecord } from './record-limits.js'
import { decideSeverity, levelOf, severityOfPino, severityOfSyslog } from './severity.js'

const NOW = Date.UTC(2026, 10, 30, 12)
const record = (more: Partial<LogRecord> = {}): LogRecord => ({
  timeMs: NOW,
  timeSubNs: 0,
  severity: 9,
  severityText: 'info',
  service: 'cart',
  host: 'a',
  traceId: '',
  spanId: '',
  message: 'hello',
  attributes: {},
  flags: 0,
  originalBytes: 0,
  ...more,
})

describe('the time of a log line', () => {
  it.each([
    ['2026-11-30T12:00:00.123456789Z', NOW + 123, 456_789],
    ['2026-11-30T12:00:00Z', NOW, 0],
    ['2026-11-30 12:00:00,5', NOW + 500, 0],
    ['2026-11-30T14:00:00.000000001+02:00', NOW, 1],
    ['2026-11-30T12:00Z', NOW, 0],
    ['2016-12-31T23:59:60Z', Date.UTC(2016, 11, 31, 23, 59, 59, 999), 999_999],
    [NOW / 1000, NOW, 0],
    [NOW, NOW, 0],
    [`${NOW}`, NOW, 0],
    [NOW / 1000 + 0.25, NOW + 250, 0],
    [`${NOW}123456`, NOW, 123_456],
    [BigInt(NOW) * 1_000_000n + 7n, NOW, 7],
    [`${NOW / 1000}.123456789`, NOW + 123, 456_789],
    [0, 0, 0],
  ])('the time %p is read with its nanoseconds', (value, ms, subNs) => {
    expect(parseTime(value)).toEqual({ ms, subNs })
  })

  it.each([
    '',
    'yesterday',
    '2026-02-31T00:00:00Z',
    '2026-11-30T24:00:00Z',
    '1969-12-31T23:59:59Z',
    -1,
    Number.NaN,
    null,
    {},
  ])('%p is no time', (value) => {
    expect(parseTime(value)).toBeUndefined()
  })

  it('every nanosecond since 1970 is the same after formatting and parsing', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 253_402_300_799_999_999_999n), (ns) => {
        const time = fromNanoseconds(ns)
        if (time === undefined) throw new Error('no time')
        expect(parseTime(formatTime(time.ms, time.subNs))).toEqual(time)
      }),
    )
  })
})

describe('the severity of a log line', () => {
  it('a valid number is taken before the text, and an invalid number counts as absent', () => {
    expect(decideSeverity(17, 'debug')).toBe(17)
    expect(decideSeverity(99, 'WARNING ')).toBe(13)
    expect(decideSeverity(0, 'constructor')).toBe(0)
  })

  it('severities of syslog and levels of pino are mapped to the severity numbers of OpenTelemetry', () => {
    expect([0, 3, 4, 6, 7, 8].map((level) => levelOf(severityOfSyslog(level)))).toEqual([
      'fatal',
      'error',
      'warn',
      'info',
      'debug',
      'unknown',
    ])
    expect([10, 20, 30, 40, 50, 60].map((level) => levelOf(severityOfPino(level)))).toEqual([
      'trace',
      'debug',
      'info',
      'warn',
      'error',
      'fatal',
    ])
  })
})

describe('the limits of a log line', () => {
  it('a line within the limits is stored as it came', () => {
    const stored = limitRecord(record({ attributes: { a: [1, { b: null }] } }), NOW)
    expect(stored).toMatchObject({
      message: 'hello',
      attributesJson: '{"a":[1,{"b":null}]}',
      flags: 0,
      originalBytes: 0,
    })
  })

  it('a message beyond 1 MiB is cut at a character and keeps its original size', () => {
    const stored = limitRecord(record({ message: 'é'.repeat(1_000_000) }), NOW)
    expect(Buffer.byteLength(stored.message)).toBeLessThanOrEqual(1_048_576)
    expect(stored.message.endsWith('é')).toBe(true)
    expect(stored.originalBytes).toBe(2_000_002)
    expect(flagNames(stored.flags)).toEqual(['cut'])
  })

  it('attributes beyond 1 MiB are cut, and half of the limit is left to the message', () => {
    const attributes = { small: 1, big: 'x'.repeat(3_000_000), last: 2 }
    const stored = limitRecord(record({ message: 'm'.repeat(600_000), attributes }), NOW)
    expect(stored.message.length).toBe(524_288)
    expect(Object.keys(JSON.parse(stored.attributesJson))).toEqual(['small', 'big', 'last'])
    expect(Buffer.byteLength(stored.message) + Buffer.byteLength(stored.attributesJson)).toBeLessThanOrEqual(1_048_576)
  })

  it('values nested deeper than 32 levels become JSON texts, however deep they are', () => {
    let deep: unknown = 'end'
    for (let level = 0; level < 100_000; level++) deep = [deep]
    const stored = limitRecord(record({ attributes: { deep } }), NOW)
    expect(flagNames(stored.flags)).toEqual(['depthCut'])
    expect(stored.attributesJson.startsWith('{"deep":[[')).toBe(true)
  })

  it('the first 2,000 attributes are kept', () => {
    const attributes = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`k${index}`, index]))
    const stored = limitRecord(record({ attributes }), NOW)
    expect(Object.keys(JSON.parse(stored.attributesJson)).length).toBe(2000)
    expect(flagNames(stored.flags)).toEqual(['attributesCut'])
  })

  it.each<[string, Partial<LogRecord>, string | undefined]>([
    ['no time', { timeMs: undefined }, undefined],
    ['a time in two days', { timeMs: NOW + 2 * 86_400_000 }, '2026-12-02T12:00:00.000000000Z'],
    ['a time before 1970', { timeMs: -1000 }, '1969-12-31T23:59:59.000000000Z'],
    ['a time that is no number', { timeMs: Number.NaN }, 'NaN'],
  ])('a line with %s gets the time of receipt and keeps the other one', (_title, more, original) => {
    const stored = limitRecord(record(more), NOW)
    expect(stored.timeMs).toBe(NOW)
    expect(stored.flags).toBe(LOG_FLAGS.timeGuessed)
    expect((JSON.parse(stored.attributesJson) as Record<string, unknown>)['millrace.original_time']).toBe(original)
  })

  it('lone surrogates and NUL in a name are replaced, and an invalid trace id is dropped', () => {
    const stored = limitRecord(record({ message: 'a\ud800b', service: 'x\0y', traceId: 'ABC' }), NOW)
    expect(stored).toMatchObject({ message: 'a\ufffdb', service: 'x\ufffdy', traceId: '' })
    expect(stored.flags & LOG_FLAGS.utf8Repaired).toBe(LOG_FLAGS.utf8Repaired)
  })
})
