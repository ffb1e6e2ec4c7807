import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { LOG_FLAGS, type LogRecord } from '../../records/log-record.js'
import { EMPTY_RECORD, plainOf } from '../../testing/expect-record.js'
import { decodeSyslog } from './decode.js'
import { SyslogFramer } from './syslog-framer.js'

const RECEIVED = new Date(2026, 10, 30, 12, 0, 0).getTime()
const decode = (text: string | Buffer) => decodeSyslog({ bytes: Buffer.from(text), originalBytes: 0 }, RECEIVED)
const local = (month: number, day: number, hour: number, minute: number, second: number, year = 2026) =>
  new Date(year, month, day, hour, minute, second).getTime()

const TRACE = '0af7651916cd43dd8448eb211c80319c'

describe('a message of syslog', () => {
  const cases: [string, string, Partial<LogRecord>][] = [
    [
      'the example of RFC 5424 with structured data',
      '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\\"lication" eventID="1011"][b@1 x="y\\]"] \ufeffAn application event',
      {
        timeMs: Date.UTC(2003, 9, 11, 22, 14, 15, 3),
        severity: 10,
        severityText: 'notice',
        host: 'mymachine.example.com',
        service: 'evntslog',
        message: 'An application event',
        attributes: {
          'syslog.msgid': 'ID47',
          'syslog.structured_data': {
            'exampleSDID@32473': { iut: '3', eventSource: 'App"lication', eventID: '1011' },
            'b@1': { x: 'y]' },
          },
          'syslog.facility': 'local4',
        },
      },
    ],
    [
      'RFC 5424 with microseconds, an offset and a process',
      '<34>1 2026-11-30T11:22:33.123456+02:00 h su 77 - - failed',
      {
        timeMs: Date.UTC(2026, 10, 30, 9, 22, 33, 123),
        timeSubNs: 456_000,
        severity: 18,
        severityText: 'crit',
        host: 'h',
        service: 'su',
        message: 'failed',
        attributes: { 'syslog.procid': '77', 'syslog.facility': 'auth' },
      },
    ],
    [
      'RFC 5424 without anything',
      '<0>1 - - - - - -',
      { severity: 21, severityText: 'emerg', attributes: { 'syslog.facility': 'kern' } },
    ],
    [
      'RFC 5424 with a trace id',
      `<14>1 - h a - - [opentelemetry trace_id="${TRACE}" span_id="b7ad6b7169203331"] m`,
      {
        severity: 9,
        severityText: 'info',
        host: 'h',
        service: 'a',
        traceId: TRACE,
        spanId: 'b7ad6b7169203331',
        message: 'm',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'RFC 3164',
      "<34>Nov 30 11:22:33 mymachine su[17]: 'su root' failed",
      {
        timeMs: local(10, 30, 11, 22, 33),
        severity: 18,
        severityText: 'crit',
        host: 'mymachine',
        service: 'su',
        message: "'su root' failed",
        attributes: { 'syslog.procid': '17', 'syslog.facility': 'auth' },
      },
    ],
    [
      'RFC 3164 with a day of one digit and no host',
      '<13>Nov  1 01:02:03 app: m',
      {
        timeMs: local(10, 1, 1, 2, 3),
        severity: 10,
        severityText: 'notice',
        service: 'app',
        message: 'm',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'RFC 3164 of the last year',
      '<13>Dec 31 23:59:59 h app: m',
      {
        timeMs: local(11, 31, 23, 59, 59),
        severity: 10,
        severityText: 'notice',
        host: 'h',
        service: 'app',
        message: 'm',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'RFC 3164 with an address as the host',
      '<13>Nov 30 11:22:33 fe80::1 app: m',
      {
        timeMs: local(10, 30, 11, 22, 33),
        severity: 10,
        severityText: 'notice',
        host: 'fe80::1',
        service: 'app',
        message: 'm',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'a time of RFC 3339 without a version, as rsyslog forwards',
      '<30>2026-11-30T11:22:33.123456Z h systemd[1]: Started.',
      {
        timeMs: Date.UTC(2026, 10, 30, 11, 22, 33, 123),
        timeSubNs: 456_000,
        severity: 9,
        severityText: 'info',
        host: 'h',
        service: 'systemd',
        message: 'Started.',
        attributes: { 'syslog.procid': '1', 'syslog.facility': 'daemon' },
      },
    ],
    [
      'Cisco with year and milliseconds',
      '<189>Nov 30 2026 11:22:33.123: %LINK-3-UPDOWN: Interface up',
      {
        timeMs: local(10, 30, 11, 22, 33) + 123,
        severity: 10,
        severityText: 'notice',
        service: '%LINK-3-UPDOWN',
        message: 'Interface up',
        attributes: { 'syslog.facility': 'local7' },
      },
    ],
    [
      'a priority alone',
      '<11>just text',
      { severity: 17, severityText: 'err', message: 'just text', attributes: { 'syslog.facility': 'user' } },
    ],
    [
      'a priority and a tag',
      '<11>app[5]: text',
      {
        severity: 17,
        severityText: 'err',
        service: 'app',
        message: 'text',
        attributes: { 'syslog.procid': '5', 'syslog.facility': 'user' },
      },
    ],
    ['any other text', 'no: syslog at all', { message: 'no: syslog at all' }],
    ['a priority out of range as text', '<192>1 - - - - - - m', { message: '<192>1 - - - - - - m' }],
    [
      'a date that does not exist as text',
      '<13>Feb 31 11:22:33 h app: m',
      {
        severity: 10,
        severityText: 'notice',
        message: 'Feb 31 11:22:33 h app: m',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'broken structured data as text',
      '<14>1 - h a - - [x y="1 m',
      {
        severity: 9,
        severityText: 'info',
        message: '1 - h a - - [x y="1 m',
        attributes: { 'syslog.facility': 'user' },
      },
    ],
    [
      'a time of RFC 5424 that is none',
      '<14>1 yesterday h a - - - m',
      {
        severity: 9,
        severityText: 'info',
        host: 'h',
        service: 'a',
        message: 'm',
        attributes: { 'syslog.timestamp': 'yesterday', 'syslog.facility': 'user' },
      },
    ],
  ]

  it.each(cases)('is read as %s', (_what, text, expected) => {
    expect(plainOf([decode(text)])).toEqual(plainOf([{ ...EMPTY_RECORD, ...expected }]))
  })

  it('belongs to the year that is nearest to its receipt', () => {
    const at = (text: string, received: number) =>
      decodeSyslog({ bytes: Buffer.from(`<13>${text} h a: m`), originalBytes: 0 }, received).timeMs
    expect(at('Dec 31 23:59:59', local(0, 1, 0, 0, 5, 2027))).toBe(local(11, 31, 23, 59, 59, 2026))
    expect(at('Jan  1 00:00:01', local(11, 31, 23, 59, 59, 2026))).toBe(local(0, 1, 0, 0, 1, 2027))
    expect(at('Feb 29 12:00:00', local(0, 10, 0, 0, 0, 2025))).toBe(local(1, 29, 12, 0, 0, 2024))
  })

  it('keeps NUL, repairs invalid UTF-8 and says when it was cut', () => {
    expect(decode(Buffer.from([0x3c, 0x31, 0x33, 0x3e, 0x61, 0x00, 0xff]))).toMatchObject({
      message: 'a\0\ufffd',
      flags: LOG_FLAGS.utf8Repaired,
    })
    expect(decodeSyslog({ bytes: Buffer.from('x'), originalBytes: 9 }, RECEIVED)).toMatchObject({
      flags: LOG_FLAGS.cut,
      originalBytes: 9,
    })
  })

  it('gives a record whatever it contains, in time that grows with its length', () => {
    const piece = fc.constantFrom(
      '<13>',
      '1 ',
      '- ',
      'Nov 30 11:22:33 ',
      '[a b="c"]',
      '[',
      ' b="',
      '\\"',
      'app[1]: ',
      'x',
      ': ',
      '"',
      ']',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        expect(decode(pieces.join('')).severity).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 1_000 },
    )
    expect(decode(`<13>1 - - - - - ${'[a b="c"]'.repeat(50_000)} m`).message).toBe('m')
    expect(decode(`<13>1 - - - - - [a${' b="\\"'.repeat(100_000)}`).message).not.toBe('')
  })
})

describe('the framer of syslog', () => {
  const texts = (framer: SyslogFramer, ...chunks: string[]) =>
    [...chunks.flatMap((chunk) => framer.push(Buffer.from(chunk))), ...framer.end()].map(({ bytes, originalBytes }) => [
      bytes.toString(),
      originalBytes,
    ])

  it('tells messages with a length and messages with a line feed apart, one by one', () => {
    const framer = new SyslogFramer(100)
    expect(texts(framer, '5 <1>ab<2>line\r\n6 <3>\nxy<4>last', ' words\n', '9')).toEqual([
      ['<1>ab', 0],
      ['<2>line', 0],
      ['<3>\nxy', 0],
      ['<4>last words', 0],
      ['9', 0],
    ])
  })

  it('takes a line that begins with digits and has no length for a line', () => {
    expect(texts(new SyslogFramer(100), '2026-11-30 text\n0 x\n1234567890 y\n')).toEqual([
      ['2026-11-30 text', 0],
      ['0 x', 0],
      ['1234567890 y', 0],
    ])
  })

  it('cuts messages beyond the limit and goes on with the next one', () => {
    const long = 'x'.repeat(50)
    expect(
      texts(
        new SyslogFramer(10),
        `${long}`,
        `${long}\n50 ${long}`,
        `30 ${long.slice(0, 30)}a\n`,
        `50 ${long.slice(0, 20)}`,
        `${long.slice(0, 30)}b`,
      ),
    ).toEqual([
      ['x'.repeat(10), 100],
      ['x'.repeat(10), 50],
      ['x'.repeat(10), 30],
      ['a', 0],
      ['x'.repeat(10), 50],
      ['b', 0],
    ])
  })

  it('finds the same messages however the bytes are cut', () => {
    const message = fc.oneof(
      fc.constantFrom('<13>line', '<14>another one').map((text) => `${text}\n`),
      fc.constantFrom('<13>counted', '<1>a\nb', 'x'.repeat(40)).map((text) => `${text.length} ${text}`),
    )
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (messages, sizes) => {
          const all = messages.join('')
          const pieces: string[] = []
          for (let at = 0, turn = 0; at < all.length; turn++) {
            const size = sizes[turn % sizes.length] as number
            pieces.push(all.slice(at, at + size))
            at += size
          }
          expect(texts(new SyslogFramer(20), ...pieces)).toEqual(texts(new SyslogFramer(20), all))
        },
      ),
      { numRuns: 500 },
    )
  })
})
