import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { LogRecord } from '../records/log-record.js'
import { decodeJson } from '../sources/json-lines.js'
import { EMPTY_RECORD, plainOf } from '../testing/expect-record.js'
import { recordOfFields } from './log-fields.js'
import type { Members } from './member-adder.js'

const MS = Date.UTC(2026, 10, 30, 11, 22, 33, 123)
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

function read(text: string): LogRecord {
  const { value, notes } = decodeJson(Buffer.from(text))
  return recordOfFields(value as Members, notes)
}

describe('the fields of an object', () => {
  const cases: [string, string, Partial<LogRecord>][] = [
    [
      'pino',
      `{"level":50,"time":${MS},"pid":7,"hostname":"h","msg":"m"}`,
      { timeMs: MS, severity: 17, severityText: '50', host: 'h', message: 'm', attributes: { pid: 7 } },
    ],
    [
      'winston',
      '{"level":"warn","message":"m","timestamp":"2026-11-30T11:22:33.123Z"}',
      { timeMs: MS, severity: 13, severityText: 'warn', message: 'm' },
    ],
    [
      'zap',
      '{"level":"info","ts":1796037753.123456,"msg":"m","logger":"a.b"}',
      {
        timeMs: 1_796_037_753_123,
        timeSubNs: 456_000,
        severity: 9,
        severityText: 'info',
        message: 'm',
        attributes: { logger: 'a.b' },
      },
    ],
    [
      'Serilog',
      '{"@t":"2026-11-30T11:22:33.1231234Z","@mt":"Hello {Name}","@l":"Error","Name":"x"}',
      {
        timeMs: MS,
        timeSubNs: 123_400,
        severity: 17,
        severityText: 'Error',
        message: 'Hello {Name}',
        attributes: { Name: 'x' },
      },
    ],
    [
      'structlog',
      '{"event":"m","level":"debug","timestamp":"2026-11-30 11:22:33.123"}',
      { timeMs: MS, severity: 5, severityText: 'debug', message: 'm' },
    ],
    [
      'ECS with nesting',
      `{"@timestamp":"2026-11-30T11:22:33.123Z","log":{"level":"ERROR","logger":"l"},"message":"m","service":{"name":"cart"},"host":{"name":"n"},"trace":{"id":"${TRACE}"},"span":{"id":"${SPAN}"}}`,
      {
        timeMs: MS,
        severity: 17,
        severityText: 'ERROR',
        message: 'm',
        service: 'cart',
        host: 'n',
        traceId: TRACE,
        spanId: SPAN,
        attributes: { log: { logger: 'l' } },
      },
    ],
    [
      'ECS with dots',
      '{"log.level":"info","service.name":"cart","message":"m"}',
      { severity: 9, severityText: 'info', service: 'cart', message: 'm' },
    ],
    [
      'Docker',
      '{"log":"m\\n","stream":"stderr","time":"2026-11-30T11:22:33.123456789Z"}',
      { timeMs: MS, timeSubNs: 456_789, message: 'm\n', attributes: { stream: 'stderr' } },
    ],
    [
      'Log4j',
      '{"instant":{"epochSecond":1796037753,"nanoOfSecond":123456789},"level":"FATAL","message":"m"}',
      {
        severity: 21,
        severityText: 'FATAL',
        message: 'm',
        attributes: { instant: { epochSecond: 1_796_037_753, nanoOfSecond: 123_456_789 } },
      },
    ],
    [
      'Google',
      `{"severity":"NOTICE","timestamp":{"seconds":1796037753,"nanos":123456789},"textPayload":"m","logging.googleapis.com/trace":"projects/p/traces/${TRACE}"}`,
      {
        timeMs: 1_796_037_753_123,
        timeSubNs: 456_789,
        severity: 10,
        severityText: 'NOTICE',
        message: 'm',
        traceId: TRACE,
      },
    ],
    [
      'VictoriaLogs',
      '{"_msg":"m","_time":"2026-11-30T11:22:33.123456789Z"}',
      { timeMs: MS, timeSubNs: 456_789, message: 'm' },
    ],
    [
      'the journal',
      '{"MESSAGE":"m","PRIORITY":"3","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"sshd"}',
      { severity: 17, severityText: '3', service: 'sshd', host: 'h', message: 'm' },
    ],
    [
      'the number of the severity before its text',
      '{"severity_number":18,"level":"info","message":"m"}',
      { severity: 18, severityText: 'info', message: 'm' },
    ],
    [
      'a trace id with dashes and one of zeros',
      `{"trace_id":"0af76519-16cd-43dd-8448-eb211c80319c","span_id":"0000000000000000"}`,
      { traceId: TRACE },
    ],
    [
      'fields that cannot be understood',
      '{"level":["x"],"time":"soon","message":{"a":1},"service":7,"trace_id":"zz"}',
      { attributes: { level: ['x'], time: 'soon', message: { a: 1 }, service: 7, trace_id: 'zz' } },
    ],
    ['a message that is no text', '{"msg":17}', { message: '17' }],
  ]

  it.each(cases)('are read as %s writes them', (_name, text, expected) => {
    expect(plainOf([read(text)])).toEqual(plainOf([{ ...EMPTY_RECORD, ...expected }]))
  })

  it('give a record whatever their values are', () => {
    const names = fc.constantFrom('level', 'time', 'message', 'service', 'trace_id', 'log', 'PRIORITY', 'host', 'a')
    fc.assert(
      fc.property(fc.dictionary(names, fc.jsonValue()), (fields) => {
        const record = read(JSON.stringify(fields))
        expect(record.severity).toBeGreaterThanOrEqual(0)
      }),
      { numRuns: 500 },
    )
  })
})
