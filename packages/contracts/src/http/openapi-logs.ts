import { commonProblems, inPath, inQuery, json, needs, ok, problem, reads } from './openapi-parts.js'
import { count, type Node, nextCursor, nullable, object, ref, text, time } from './openapi-schemas.js'

const LEVELS = ['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'fatal']
const limit: Node = { type: 'integer', minimum: 1, maximum: 100, default: 10 }

/** With `fields` a line has only these and the id. */
const LINE_MEMBERS = ['id']

const line = object(
  {
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
    highlights: {
      type: 'array',
      items: object({
        field: text('message, or the path of an attribute, beginning with attributes.'),
        ranges: {
          type: 'array',
          items: { type: 'array', items: { type: 'integer' }, minItems: 2, maxItems: 2 },
          description: 'Start and end of each match in UTF-16 code units, as JavaScript counts them.',
        },
      }),
      description: 'With highlight: where the query matches.',
    },
  },
  LINE_MEMBERS,
)

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
  fields:
    'Names of the fields that lines have in the answer: those of a line, attributes for all attributes, or paths of attributes such as http.status. The id is always there. Default: all.',
  highlight: 'Whether each line has highlights: where the query matches.',
  order: 'newest: from the newest line to the oldest, the default. oldest: the other way round.',
  groupBy: 'A field by whose values lines are counted as well: level, service, host or the path of an attribute.',
}

const incomplete: Node = {
  type: 'array',
  items: { type: 'string' },
  description: 'What the answer lacks, in sentences; empty when it has everything.',
}
const watermark = nullable(
  time('Everything accepted up to this time is found; null before every partition was read once.'),
)
const tookMs: Node = { type: 'number', minimum: 0, description: 'Milliseconds that answering took on the server.' }
/** What the answers about counts have in common. */
const countMeta: Node = {
  from: time('Start of the counted range, inclusive.'),
  to: time('End of the counted range, exclusive.'),
  scanned: count('Lines that were compared.'),
  skipped: count('Lines that were not compared, because the index shows that they do not match.'),
  total: count('Lines that were counted.'),
  watermark,
  took_ms: tookMs,
  incomplete,
}
const countsOf = (description: string): Node => ({
  type: 'object',
  additionalProperties: { type: 'integer' },
  description,
})

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
      watermark,
      took_ms: tookMs,
      incomplete,
      hints: {
        type: 'array',
        items: { type: 'string' },
        description: 'Advice for a query that found nothing, such as fields that may be misspelled.',
      },
    }),
  }),
  LogContext: object({
    data: {
      type: 'array',
      items: ref('LogLine'),
      description: 'From the oldest to the newest, all of the service and the host of the line.',
    },
    index: count('Index of the line itself in data.'),
    meta: object({ took_ms: tookMs, incomplete }),
  }),
  LogHistogram: object({
    data: {
      type: 'array',
      items: object(
        {
          time: time('Start of the bucket; buckets are aligned to UTC.'),
          count: count('Lines in it.'),
          groups: countsOf('With group_by: lines by value, of the most frequent values of the whole range.'),
        },
        ['time', 'count'],
      ),
    },
    meta: object({ ...countMeta, interval_ms: count('Width of a bucket in milliseconds.') }),
  }),
  LogValues: object({
    data: {
      type: 'array',
      items: object({
        value: text('The value as text.'),
        count: count('Lines with this value; a line with several values counts for each.'),
        share: { type: 'number', description: 'count as a fraction of total.' },
      }),
    },
    meta: object({
      ...countMeta,
      distinct: count('Different values that were counted, 100,000 at most.'),
      without_field: count('Counted lines without the field.'),
    }),
  }),
  LogPatterns: object({
    data: {
      type: 'array',
      items: object({
        pattern: text('The first line of the messages, with <*> for each part that has a digit.'),
        count: count('Lines in the range.'),
        previous: count('Lines in the range of the same length before.'),
        change: nullable({
          type: 'number',
          description: 'By how much the count has changed, as a fraction of previous; null when previous is 0.',
        }),
        levels: countsOf('Lines in the range by level.'),
        first: time('The oldest of these lines.'),
        last: time('The newest of these lines.'),
        examples: {
          type: 'array',
          items: object({ id: text('Id of the line.'), message: text('Its message, 1,000 characters at most.') }),
        },
        query: text('A query (q) that finds lines of this pattern.'),
      }),
    },
    meta: object({
      ...countMeta,
      previous_from: time('Start of the range before.'),
      distinct: count('Different patterns in both ranges, 20,000 at most.'),
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
      fields: {
        oneOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }],
        description: descriptions.fields,
      },
      highlight: { type: 'boolean', description: descriptions.highlight },
      order: { enum: ['newest', 'oldest'], description: descriptions.order },
    },
    [],
  ),
}

const example = {
  data: [
    {
      id: '1795248000123456789-3-120',
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
  meta: {
    scanned: 2048,
    skipped: 0,
    total: 1,
    watermark: '2026-11-21T08:00:00.000Z',
    took_ms: 4.2,
    incomplete: [],
    hints: [],
  },
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

/** The parameters that say which lines are meant. */
const conditions: readonly Node[] = [
  inQuery('from', descriptions.from),
  inQuery('to', descriptions.to),
  inQuery('level', descriptions.level),
  inQuery('service', descriptions.service),
  inQuery('host', descriptions.host),
  inQuery('trace_id', descriptions.trace_id),
  inQuery('q', descriptions.q),
  inQuery('contains', descriptions.contains),
]
const LAST_DAY = 'Without from and to, the last 24 hours are counted.'
const contextCount: Node = { type: 'integer', minimum: 0, maximum: 100, default: 10 }

/** Log lines as NDJSON, the search for log lines, and counts over them. */
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
        ...conditions,
        inQuery('limit', 'Lines per page.', limit),
        inQuery('cursor', descriptions.cursor),
        inQuery('fields', descriptions.fields),
        inQuery('highlight', descriptions.highlight, { type: 'boolean' }),
        inQuery('order', descriptions.order, { enum: ['newest', 'oldest'] }),
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
  '/api/v1/logs/{id}/context': {
    get: withDown(
      reads('query', 'Read the lines of the same service and host before and after a line', 'read', ok('LogContext'), [
        inPath('id'),
        inQuery('before', 'Number of older lines.', contextCount),
        inQuery('after', 'Number of newer lines.', contextCount),
      ]),
    ),
  },
  '/api/v1/logs/histogram': {
    get: withDown(
      reads('query', `Count log lines by time. ${LAST_DAY}`, 'read', ok('LogHistogram'), [
        ...conditions,
        inQuery(
          'interval',
          'Width of a bucket: auto (the default, at most 100 buckets), or such as 30s, 5m, 1h or 1d.',
        ),
        inQuery('group_by', descriptions.groupBy),
        inQuery('limit', 'Number of values with a count of their own.', limit),
      ]),
    ),
  },
  '/api/v1/logs/top': {
    get: withDown(
      reads('query', `Count the values of a field. ${LAST_DAY}`, 'read', ok('LogValues'), [
        ...conditions,
        {
          ...inQuery('field', 'level, service, host or the path of an attribute, such as http.status.'),
          required: true,
        },
        inQuery('limit', 'Number of values.', limit),
      ]),
    ),
  },
  '/api/v1/logs/live': {
    get: {
      ...withDown(
        reads(
          'query',
          'Stream log lines as they arrive, as server-sent events named lines',
          'read',
          {
            description: 'The stream, which ends when the client closes it.',
            content: {
              'text/event-stream': {
                schema: { type: 'string' },
                example:
                  'event: lines\nid: 0=1795248000123-0\ndata: {"lines":[{"level":"error","message":"payment failed"}],"dropped":0,"has_gap":false}\n\n',
              },
            },
          },
          [
            ...conditions,
            inQuery('fields', descriptions.fields),
            inQuery('ticket', 'A ticket of POST /api/v1/live/tickets, instead of a key: for EventSource.'),
          ],
        ),
      ),
      security: [{ basic: [] }, { bearer: [] }, { ticket: [] }],
      description:
        'Lines that any log-shipper receives, masked, in the order of their partitions, without ids. dropped is the number of matching lines that were left out before these because the client reads too slowly. A client that reconnects with Last-Event-ID (EventSource does) continues after the last event that it got; has_gap is true when the stream may have removed lines in between, which a search still finds. An event named problem, with a problem document, comes before the stream ends because of an error.',
    },
  },
  '/api/v1/logs/patterns': {
    get: withDown(
      reads(
        'query',
        `Count the patterns of messages, and compare them with the range of the same length before. ${LAST_DAY}`,
        'read',
        ok('LogPatterns'),
        [
          ...conditions,
          inQuery('limit', 'Number of patterns.', limit),
          inQuery(
            'order',
            'count: the most frequent first, the default. change: those that have grown by most lines.',
            {
              enum: ['count', 'change'],
            },
          ),
        ],
      ),
    ),
  },
}
