import { capital, queryComponents } from '../queries/query-components.js'
import { listPaths, listSchemas } from './openapi-lists.js'
import { commonProblems, inPath, inQuery, json, needs, ok, problem, reads } from './openapi-parts.js'
import { queryPaths } from './openapi-queries.js'
import { type Node, ref, schemas } from './openapi-schemas.js'

const eventProblems = {
  400: problem('not JSON (with its position), not UTF-8, or not of the expected form; nothing was published'),
  ...commonProblems,
  413: problem('over the limit, counted after decompression; nothing was published'),
  415: problem('a content encoding other than gzip, deflate and br'),
  429: problem('over the tenant’s rate, or the stream is nearly full; Retry-After says when to try again'),
  503: problem('the stream and the spool take nothing at present; Retry-After says when to try again'),
}
const acceptance = { success: true, receipt: 'AQHJo9wJmjRNgaZcj5JSoA3_CgEAAQ', accepted: 1, rejected: [] }
const event = { type: 'track', event: 'Order Completed', userId: 'user-1', properties: { revenue: 39.9 } }

function takesEvents(summary: string, schema: string, example: unknown): Node {
  return {
    post: {
      tags: ['ingest'],
      summary,
      description:
        'Segment’s and RudderStack’s wire. A bad event is refused alone. The content type is not looked at; the key is the user name of Basic, a Bearer token, or writeKey in the body.',
      ...needs('write'),
      requestBody: { required: true, content: json(schema, example) },
      responses: {
        200: { description: 'the stream holds every accepted event', content: json('Acceptance', acceptance) },
        ...eventProblems,
      },
    },
  }
}

const page = [
  inQuery('limit', 'rows of a page', { type: 'integer', minimum: 1, maximum: 1000, default: 100 }),
  inQuery('cursor', 'next_cursor of the page before'),
]
const USER = 'who counts as the user: the user id, or the anonymous id of events without one'
const PAGES = 'pages may be shorter than their limit and end at 8 MiB; only one without a cursor is the last'
const filters = inQuery('filters', 'JSON text: a list of {property, op, value} as in queries; all must hold')
const range = [inQuery('from', 'inclusive, RFC 3339'), inQuery('to', 'exclusive, RFC 3339')]
const health = (summary: string): Node => ({
  tags: ['health'],
  summary,
  security: [],
  responses: { 200: ok('Health'), 503: { description: 'unhealthy', content: json('Health') } },
})

const paths: Node = {
  '/v1/batch': takesEvents('Takes a batch of events', 'Batch', { batch: [event], sentAt: '2026-11-21T08:00:00.000Z' }),
  '/v1/track': takesEvents('Takes one track event', 'Event', event),
  '/v1/identify': takesEvents('Takes one identify event', 'Event', { userId: 'user-1', traits: { plan: 'pro' } }),
  '/v1/page': takesEvents('Takes one page event', 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/screen': takesEvents('Takes one screen event', 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/group': takesEvents('Takes one group event', 'Event', { userId: 'user-1', groupId: 'company-1' }),
  '/v1/alias': takesEvents('Takes one alias event', 'Event', { userId: 'user-1', previousId: 'anonymous-1' }),
  '/v1/events': {
    post: {
      tags: ['ingest'],
      summary: 'Takes events, and answers with a verdict for each',
      description:
        'A JSON list, one object, an object with a batch, or NDJSON (one event a line; with the content type application/x-ndjson a line that is no JSON is refused alone).',
      ...needs('write'),
      parameters: [
        inQuery('wait', 'stored: the answer comes when the rows are committed, or after 10 s', { enum: ['stored'] }),
      ],
      requestBody: {
        required: true,
        content: {
          'application/json': {
            schema: { oneOf: [{ type: 'array', items: ref('Event') }, ref('Event'), ref('Batch')] },
            example: [event],
          },
          'application/x-ndjson': {
            schema: { type: 'string' },
            example: `${JSON.stringify(event)}\n${JSON.stringify(event)}\n`,
          },
        },
      },
      responses: {
        200: {
          description: 'the stream holds every accepted event',
          content: json('NativeAcceptance', {
            ...acceptance,
            events: [{ index: 0, messageId: '0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', verdict: 'accepted' }],
          }),
        },
        ...eventProblems,
      },
    },
  },
  '/v1/receipts/{receipt}': {
    get: reads('ingest', 'Where the records of one request are now', 'write', ok('Receipt'), [
      inPath('receipt'),
      inQuery('wait_ms', 'waits so long for the records to settle', { type: 'integer', minimum: 0, default: 0 }),
    ]),
  },
  '/api/v1/ledger': { get: reads('ingest', 'The balance of every stream', 'read', ok('Ledger')) },
  '/api/v1/events': {
    get: reads('query', `Stored events, newest first; ${PAGES}`, 'read', ok('StoredEvents'), [
      inQuery('event', 'name'),
      inQuery('user_id', USER),
      inQuery('message_id', ''),
      filters,
      ...range,
      ...page,
    ]),
  },
  '/api/v1/users/{id}/timeline': {
    get: reads('query', `Stored events of one user, newest first; ${PAGES}`, 'read', ok('StoredEvents'), [
      { ...inPath('id'), description: USER },
      inQuery('event', 'name'),
      filters,
      ...range,
      ...page,
    ]),
  },
  ...listPaths,
  ...queryPaths(),
  '/api/v1/live': {
    get: reads('query', 'Counts a second as server-sent events named counts', 'read', {
      description: 'a stream',
      content: {
        'text/event-stream': {
          schema: { type: 'string' },
          example:
            'event: counts\ndata: {"time":"2026-11-21T08:00:00.000Z","events":120,"by_event":{"Order Completed":120},"watermark":null}\n\n',
        },
      },
    }),
  },
  '/api/v1/dead-letters': {
    get: reads('dead letters', 'Records that could not be stored, newest first', 'read', ok('DeadLetters'), page),
  },
  '/api/v1/dead-letters/{id}/replay': {
    post: reads('dead letters', 'Puts one back into the stream', 'admin', ok('DeadLetter'), [inPath('id')]),
  },
  '/api/v1/dead-letters/{id}': {
    delete: reads('dead letters', 'Discards one', 'admin', ok('DeadLetter'), [inPath('id')]),
  },
  '/api/v1/keys': {
    get: reads('keys', 'The keys of the caller’s tenant', 'admin', ok('Keys')),
    post: {
      ...reads('keys', 'Makes a key', 'admin', ok('CreatedKey')),
      requestBody: { required: true, content: json('NewKey', { name: 'shop', scopes: ['write'] }) },
      responses: {
        201: { description: 'made', content: json('CreatedKey') },
        400: problem('a field does not fit'),
        ...commonProblems,
      },
    },
  },
  '/api/v1/keys/{id}/rotate': {
    post: {
      ...reads(
        'keys',
        'Makes a successor; the old key goes on for overlap_seconds (default a day)',
        'admin',
        ok('CreatedKey'),
        [inPath('id')],
      ),
      requestBody: {
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { overlap_seconds: { type: 'integer', minimum: 0, maximum: 2_592_000 } },
            },
            example: { overlap_seconds: 3600 },
          },
        },
      },
      responses: {
        201: { description: 'made', content: json('CreatedKey') },
        ...commonProblems,
        404: problem('there is no such key'),
        409: problem('the key is being rotated already'),
      },
    },
  },
  '/api/v1/keys/{id}': {
    delete: {
      ...reads('keys', 'Revokes a key at once', 'admin', ok('Key'), [inPath('id')]),
      responses: {
        204: { description: 'revoked' },
        ...commonProblems,
        404: problem('there is no such key'),
        409: problem('LAST_ADMIN_KEY: it is the last valid key of the tenant with scope admin'),
      },
    },
  },
  '/api/health': { get: health('Whether everything works') },
  '/api/system/health': { get: health('The same with memory, processors and disk') },
  '/api/health/detailed': { get: { ...health('Everything that is known about every part'), ...needs('admin') } },
}

/** Names for generated code, such as postApiV1QueryFunnel and getV1ReceiptsReceipt. */
function withOperationIds(all: Node): Node {
  const name = (method: string, path: string): string =>
    [method, ...path.split(/[^A-Za-z0-9]+/)].map((word, i) => (i === 0 ? word : capital(word))).join('')
  return Object.fromEntries(
    Object.entries(all).map(([path, item]) => {
      const operations = Object.entries(item as Record<string, Node>)
      return [
        path,
        Object.fromEntries(operations.map(([method, one]) => [method, { operationId: name(method, path), ...one }])),
      ]
    }),
  )
}

/** The public HTTP contract as an OpenAPI 3.1 document. */
export function createOpenApiDocument() {
  const components = { ...schemas, ...listSchemas, ...queryComponents }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: '0.1.0',
      description:
        'Events in by the wires that people already speak, out as stored rows, live aggregates and a ledger that balances. Every error is a problem document (RFC 9457) with a stable code.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: withOperationIds(paths),
    components: {
      schemas: components,
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'the key as user name, no password' },
        bearer: { type: 'http', scheme: 'bearer', description: 'the key' },
      },
    },
  }
}
