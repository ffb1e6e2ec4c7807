import { commonProblems, inQuery, json, needs, ok, problem, reads } from './openapi-parts.js'
import { count, type Node, nextCursor, nullable, object, ref, text, time } from './openapi-schemas.js'

const LEVELS = ['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'fatal']
const limit: Node = { type: 'integer', minimum: 1, maximum: 100, default: 10 }

const line = object({
  id: text('Identifies the line.'),
  time: text('Time of the line as RFC 3339 with nanoseconds.'),
  level: { enum: LEVELS, description: 'The level of the severity.' },
  severity: {
    type: 'integer',
    minimum: 0,
    maximum: 24,
    description: 'Severity number of OpenTelemetry; 0 when it is unknown.',
  },
  severity_text: text('The level as the client wrote it; empty when it wrote none.'),
  service: text('Name of the service; empty when it is unknown.'),
  host: text('Name of the host; empty when it is unknown.'),
  trace_id: text('32 hexadecimal digits; empty when there is none.'),
  span_id: text('16 hexadecimal digits; empty when there is none.'),
  message: text('The message, masked.'),
  flags: {
    type: 'array',
    items: { type: 'string' },
    description:
      'What was changed when the line was received: utf8Repaired, cut, timeGuessed, depthCut, attributesCut, keysRepeated.',
  },
  original_bytes: count('Bytes of the line before it was cut; 0 when it is whole.'),
  attributes: { type: 'object', additionalProperties: true, description: 'All other fields of the line, masked.' },
})

const descriptions = {
  from: 'Start of the range of times, inclusive, as RFC 3339.',
  to: 'End of the range of times, exclusive, as RFC 3339.',
  level: `Names of levels, any of which the line has: ${LEVELS.join(', ')}. Default: all.`,
  service: 'Names of services, any of which wrote the line. Default: all.',
  host: 'Name of the host.',
  trace_id: 'Id of the trace: 32 hexadecimal digits.',
  q: 'A query: words, "phrases", prefix*, *part of a text*, /regular expressions/, field:value, level>=warn, http.status>=500, AND, OR, NOT and parentheses; docs/reference/log-query.md has the grammar. Capital and small letters are the same.',
  contains:
    'A text that must be in the message or in one value of the attributes. Capital and small letters are the same.',
  cursor: 'next_cursor of the previous page of the same search.',
}

/** Schemas of log lines and their search. */
export const logSchemas: Node = {
  LogLine: line,
  LogAcceptance: object({
    accepted: count('Lines that are kept.'),
    rejected: {
      type: 'array',
      items: object({
        index: count('Index of the line among the lines that are not blank, from 0.'),
        code: text('A stable code, such as invalid_json.'),
        reason: text('What is wrong with the line.'),
      }),
      description: 'The lines that were refused.',
    },
  }),
  LogLines: object({
    data: { type: 'array', items: ref('LogLine') },
    next_cursor: nextCursor,
    meta: object({
      scanned: count('Lines that were compared for this page.'),
      skipped: count('Lines that were not compared, because the index shows that they do not match.'),
      total: nullable(count('Number of all matching lines; null when not everything was compared.')),
      watermark: nullable(
        time('Everything accepted up to this time is found; null before every partition was read once.'),
      ),
      took_ms: { type: 'number', minimum: 0, description: 'Milliseconds that answering took on the server.' },
    }),
  }),
  LogSearch: object(
    {
      from: time(descriptions.from),
      to: time(descriptions.to),
      level: {
        oneOf: [{ type: 'string' }, { type: 'array', items: { enum: LEVELS } }],
        description: descriptions.level,
      },
      service: {
        oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
        description: descriptions.service,
      },
      host: text(descriptions.host),
      trace_id: text(descriptions.trace_id),
      q: text(descriptions.q),
      contains: text(descriptions.contains),
      limit: { ...limit, description: 'Lines per page.' },
      cursor: text(descriptions.cursor),
    },
    [],
  ),
}

const example = {
  data: [
    {
      id: '3-120',
      time: '2026-11-21T08:00:00.123456789Z',
      level: 'error',
      severity: 17,
      severity_text: 'ERROR',
      service: 'cart',
      host: 'web-1',
      trace_id: '',
      span_id: '',
      message: 'payment of order 42 failed',
      flags: [],
      original_bytes: 0,
      attributes: { attempt: 2 },
    },
  ],
  next_cursor: null,
  meta: { scanned: 2048, skipped: 0, total: 1, watermark: '2026-11-21T08:00:00.000Z', took_ms: 4.2 },
}
const SUMMARY =
  'Search log lines, newest first. Only a page without a cursor is the last; a page may be short or empty and still have one.'
const down = problem('Log lines cannot be taken or searched now; Retry-After says when to try again.')
const withDown = (operation: Node): Node => ({
  ...operation,
  responses: { ...(operation.responses as Node), 503: down },
})

const lines =
  '{"time":"2026-11-21T08:00:00.123456789Z","level":"error","service":"cart","message":"payment of order 42 failed"}\n'

/** Log lines as NDJSON, and the search for log lines. */
export const logPaths: Node = {
  '/v1/logs/ndjson': {
    post: withDown({
      tags: ['ingest'],
      summary: 'Accept log lines as NDJSON',
      description:
        'One JSON object a line, whatever the content type says, with the field names of the usual loggers. The wires of other clients are served too, as they send them: OTLP over HTTP (/v1/logs), Elasticsearch bulk (/_bulk), Loki push (/loki/api/v1/push), Datadog (/api/v2/logs), Splunk HEC (/services/collector) and GELF (/gelf). Lines are masked before they are kept, and are found by GET /api/v1/logs at once.',
      ...needs('write'),
      requestBody: {
        required: true,
        content: { 'application/x-ndjson': { schema: { type: 'string' }, example: lines } },
      },
      responses: {
        200: {
          description: 'The stream holds every accepted line.',
          content: json('LogAcceptance', { accepted: 1, rejected: [] }),
        },
        ...commonProblems,
        413: problem('The body exceeds the size limit, which applies after decompression. No line was kept.'),
        415: problem('The content encoding is not gzip, deflate or br.'),
      },
    }),
  },
  '/api/v1/logs': {
    get: withDown(
      reads('query', SUMMARY, 'read', ok('LogLines', example), [
        inQuery('from', descriptions.from),
        inQuery('to', descriptions.to),
        inQuery('level', descriptions.level),
        inQuery('service', descriptions.service),
        inQuery('host', descriptions.host),
        inQuery('trace_id', descriptions.trace_id),
        inQuery('q', descriptions.q),
        inQuery('contains', descriptions.contains),
        inQuery('limit', 'Lines per page.', limit),
        inQuery('cursor', descriptions.cursor),
      ]),
    ),
    post: withDown({
      tags: ['query'],
      summary: `${SUMMARY} The search is in the body.`,
      ...needs('read'),
      requestBody: { required: true, content: json('LogSearch', { level: ['error', 'fatal'], q: 'payment failed' }) },
      responses: {
        200: ok('LogLines', example),
        400: problem('The search is not valid; details names the field.'),
        ...commonProblems,
      },
    }),
  },
}
