import { capital, queryComponents } from '../queries/query-components.js'
import { clientPaths } from './openapi-clients.js'
import { cloudEventsPaths, cloudEventsSchemas } from './openapi-cloudevents.js'
import { listPaths, listSchemas } from './openapi-lists.js'
import { logTransformPaths, logTransformSchemas } from './openapi-log-transforms.js'
import { logPaths, logSchemas } from './openapi-logs.js'
import { commonProblems, inPath, inQuery, json, needs, ok, pageLimit, problem, reads } from './openapi-parts.js'
import { queryPaths } from './openapi-queries.js'
import { type Node, ref, schemas } from './openapi-schemas.js'

const eventProblems = {
  400: problem(
    'The body is not JSON (detail has the position), not UTF-8, or does not have the expected form. No event was published.',
  ),
  ...commonProblems,
  413: problem('The body exceeds the size limit, which applies after decompression. No event was published.'),
  415: problem('The content encoding is not gzip, deflate or br.'),
  429: problem('The tenant exceeds its rate limit, or the stream is nearly full. Retry-After says when to try again.'),
  503: problem('Neither the stream nor the spool accepts records now. Retry-After says when to try again.'),
}
const acceptance = { success: true, receipt: 'AQHJo9wJmjRNgaZcj5JSoA3_CgEAAQ', accepted: 1, rejected: [] }
const event = { type: 'track', event: 'Order Completed', userId: 'user-1', properties: { revenue: 39.9 } }

function acceptsEvents(summary: string, schema: string, example: unknown, parameters: readonly Node[] = []): Node {
  return {
    post: {
      tags: ['ingest'],
      'x-ignores-other-parameters': true,
      summary,
      description:
        'The protocol of Segment and RudderStack. Invalid events are rejected one by one; the others are accepted. The body is JSON whatever its content type; a form may hold the same JSON in the field data, or a field for each member of the event. The key is the user name of Basic authentication, a Bearer token, or else writeKey in the body.',
      ...needs('write'),
      parameters,
      requestBody: { required: true, content: json(schema, example) },
      responses: {
        200: { description: 'The stream holds every accepted event.', content: json('Acceptance', acceptance) },
        ...eventProblems,
      },
    },
  }
}

const page = [inQuery('limit', 'Rows per page.', pageLimit), inQuery('cursor', 'next_cursor of the previous page.')]
const USER = 'User id, or anonymous id of events without a user id.'
const PAGES =
  'A page may have fewer rows than its limit and has at most 8 MiB; only a page without a cursor is the last.'
const filters = inQuery(
  'filters',
  'Conditions as in queries, as JSON text: a list of {property, op, value}. All must match.',
)
const range = [
  inQuery('from', 'Start of the range, inclusive, as RFC 3339.'),
  inQuery('to', 'End of the range, exclusive, as RFC 3339.'),
]
const confirm = inQuery(
  'confirm',
  'What else the request may do, separated by commas: self (end the key that it is sent with; make sure that you hold another admin key), expiry (leave only admin keys that expire earlier).',
)
const unknownInput = problem('The request has a parameter or a body, but takes none; details names it.')
const health = (summary: string): Node => ({
  tags: ['health'],
  summary,
  security: [],
  responses: {
    200: ok('Health'),
    400: unknownInput,
    503: { description: 'The system is unhealthy.', content: json('Health') },
  },
})

const batch = { batch: [event], sentAt: '2026-11-21T08:00:00.000Z' }
const sameAs = (path: string) => `: the same as ${path}`

const paths: Node = {
  '/v1/batch': acceptsEvents('Accept a batch of events', 'Batch', batch),
  '/v1/import': acceptsEvents(`Accept a batch of events${sameAs('/v1/batch')}`, 'Batch', batch),
  '/v1/b': acceptsEvents(`Accept a batch of events${sameAs('/v1/batch')}`, 'Batch', batch),
  '/beacon/v1/batch': acceptsEvents('Accept a batch of events from a beacon of RudderStack', 'Batch', batch, [
    inQuery('writeKey', 'The write key, if there is no Authorization header.'),
  ]),
  '/v1/track': acceptsEvents('Accept one track event', 'Event', event),
  '/v1/t': acceptsEvents(`Accept one track event${sameAs('/v1/track')}`, 'Event', event),
  '/v1/identify': acceptsEvents('Accept one identify event', 'Event', { userId: 'user-1', traits: { plan: 'pro' } }),
  '/v1/i': acceptsEvents(`Accept one identify event${sameAs('/v1/identify')}`, 'Event', {
    userId: 'user-1',
    traits: { plan: 'pro' },
  }),
  '/v1/page': acceptsEvents('Accept one page event', 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/p': acceptsEvents(`Accept one page event${sameAs('/v1/page')}`, 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/screen': acceptsEvents('Accept one screen event', 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/s': acceptsEvents(`Accept one screen event${sameAs('/v1/screen')}`, 'Event', { userId: 'user-1', name: 'Home' }),
  '/v1/group': acceptsEvents('Accept one group event', 'Event', { userId: 'user-1', groupId: 'company-1' }),
  '/v1/g': acceptsEvents(`Accept one group event${sameAs('/v1/group')}`, 'Event', {
    userId: 'user-1',
    groupId: 'company-1',
  }),
  '/v1/alias': acceptsEvents('Accept one alias event', 'Event', { userId: 'user-1', previousId: 'anonymous-1' }),
  '/v1/a': acceptsEvents(`Accept one alias event${sameAs('/v1/alias')}`, 'Event', {
    userId: 'user-1',
    previousId: 'anonymous-1',
  }),
  '/v1/events': {
    post: {
      tags: ['ingest'],
      summary: 'Accept events and answer with a verdict for each',
      description:
        'The body is a JSON list, one object, an object with a batch, or NDJSON: one event per line with the content type application/x-ndjson, where a line that is not JSON is rejected alone.',
      ...needs('write'),
      parameters: [
        inQuery('wait', 'stored: answer when the rows are committed, but after 10 s at the latest.', {
          enum: ['stored'],
        }),
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
          description: 'The stream holds every accepted event.',
          content: json('NativeAcceptance', {
            ...acceptance,
            events: [{ index: 0, messageId: '0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b', verdict: 'accepted' }],
          }),
        },
        ...eventProblems,
      },
    },
  },
  ...clientPaths,
  ...cloudEventsPaths(eventProblems),
  '/v1/receipts/{receipt}': {
    get: reads('ingest', 'Report where the records of one request are now', 'write', ok('Receipt'), [
      inPath('receipt'),
      inQuery('wait_ms', 'Longest time to wait until the records are settled, in milliseconds.', {
        type: 'integer',
        minimum: 0,
        default: 0,
      }),
    ]),
  },
  '/api/v1/ledger': { get: reads('ingest', 'Report the ledger of every stream', 'read', ok('Ledger')) },
  '/api/v1/rejections': {
    get: {
      ...reads(
        'ingest',
        'List the most recent rejected events and requests, newest first',
        'read',
        ok('Rejections', {
          data: [
            {
              time: '2026-11-21T08:00:00.000Z',
              scope: 'event',
              wire: 'segment',
              path: '/v1/batch',
              code: 'missing_user',
              reason: 'an event must have a userId or an anonymousId',
              index: 3,
              message_id: 'm-42',
              type: 'track',
              event: 'Order Completed',
              user_id: null,
              anonymous_id: null,
              library: 'analytics-node 2.3.0',
              user_agent: 'node-fetch/1.0',
              excerpt: '{"event":"Order Completed","messageId":"m-42","properties":{"email":"[email]"}}',
              bytes: 91,
              omitted: 0,
            },
          ],
          next_cursor: null,
        }),
        [
          inQuery('code', 'Only rejections with this code, such as missing_user or MALFORMED_BODY.'),
          inQuery('since', 'Only rejections from this time on, as RFC 3339.'),
          ...page,
        ],
      ),
      description:
        'SDKs ignore the body of our answers, so this list shows why events are missing. It has rejected events of accepted requests (codes in lower case) and requests that were refused whole, if their key was known (codes in upper case). It is bounded by number, age and rate: of many rejections with the same code some are left out, and omitted counts them. Personal data and secrets are masked by the rules of log lines. Rejections appear within a second. They are kept in the cache Redis and are gone when that is emptied.',
    },
  },
  '/api/v1/events': {
    get: reads('query', `List stored events, newest first. ${PAGES}`, 'read', ok('StoredEvents'), [
      inQuery('event', 'Name of the event.'),
      inQuery('user_id', USER),
      inQuery('message_id', 'Message id of the event.'),
      filters,
      ...range,
      ...page,
    ]),
  },
  '/api/v1/users/{id}/timeline': {
    get: reads('query', `List stored events of one user, newest first. ${PAGES}`, 'read', ok('StoredEvents'), [
      { ...inPath('id'), description: USER },
      inQuery('event', 'Name of the event.'),
      filters,
      ...range,
      ...page,
    ]),
  },
  ...listPaths,
  ...logPaths,
  ...logTransformPaths,
  ...queryPaths(),
  '/api/v1/live': {
    get: {
      ...reads(
        'query',
        'Stream counts of events, one per second, as server-sent events named counts',
        'read',
        {
          description: 'The stream, which ends when the client closes it.',
          content: {
            'text/event-stream': {
              schema: { type: 'string' },
              example:
                'event: counts\ndata: {"time":"2026-11-21T08:00:00.000Z","events":120,"by_event":{"Order Completed":120},"watermark":null}\n\n',
            },
          },
        },
        [inQuery('ticket', 'A ticket of POST /api/v1/live/tickets, instead of a key: for EventSource.')],
      ),
      security: [{ basic: [] }, { bearer: [] }, { ticket: [] }],
      description:
        'An event named problem, with a problem document, comes before the stream ends because of an error. The stream ends within 15 s after its key was revoked or has expired. EventSource reconnects by itself after a stream broke; LIVE_TICKET_INVALID (403) ends that when the ticket has expired, and the page requests a new one.',
    },
  },
  '/api/v1/live/tickets': {
    post: {
      ...reads('query', 'Issue a ticket that opens live streams without a key in a header', 'read', ok('LiveTicket')),
      description:
        'EventSource cannot send headers, and a key in a URL would be visible in logs and histories for ever. A ticket is valid for LIVE_TICKET_SECONDS (60 s), any number of times, so that EventSource can reconnect, in every gateway, for the live counts and the live log lines of its tenant and nothing else. The url is that of the live counts; /api/v1/logs/live takes the same ticket. It ends with the key that it was issued to. A stream that is open when its ticket expires goes on. A ticket costs one token of the rate limit of the tenant.',
      responses: {
        201: {
          description: 'The ticket.',
          content: json('LiveTicket', {
            ticket: 'mr_live_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4',
            expires_at: '2026-11-21T08:01:00.000Z',
            url: '/api/v1/live?ticket=mr_live_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4',
          }),
        },
        400: problem('The request has a parameter or a body, but takes none; details names it.'),
        ...commonProblems,
        429: problem('The tenant exceeds its rate limit. Retry-After says when to try again.'),
        503: problem('Tickets cannot be issued now, because Redis cannot be reached.'),
      },
    },
  },
  '/api/v1/dead-letters': {
    get: reads(
      'dead letters',
      `List dead letters (records that cannot be stored), newest first. ${PAGES}`,
      'read',
      ok('DeadLetters'),
      page,
    ),
  },
  '/api/v1/dead-letters/{id}/replay': {
    post: reads('dead letters', 'Put the record of a dead letter back into the stream', 'admin', ok('DeadLetter'), [
      inPath('id'),
    ]),
  },
  '/api/v1/dead-letters/{id}': {
    delete: reads('dead letters', 'Discard a dead letter', 'admin', ok('DeadLetter'), [inPath('id')]),
  },
  '/api/v1/keys': {
    get: reads('keys', 'List the keys of the caller’s tenant', 'admin', ok('Keys')),
    post: {
      ...reads('keys', 'Create a key', 'admin', ok('CreatedKey')),
      requestBody: { required: true, content: json('NewKey', { name: 'shop', scopes: ['write'] }) },
      responses: {
        201: { description: 'The key was created.', content: json('CreatedKey') },
        400: problem('A field is invalid; details names it.'),
        ...commonProblems,
      },
    },
  },
  '/api/v1/keys/{id}/rotate': {
    post: {
      ...reads(
        'keys',
        'Replace a key: the old key keeps working for overlap_seconds (default: one day)',
        'admin',
        ok('CreatedKey'),
        [inPath('id'), confirm],
      ),
      requestBody: {
        content: {
          'application/json': {
            schema: {
              type: 'object',
              properties: { overlap_seconds: { type: ['integer', 'null'], minimum: 0, maximum: 2_592_000 } },
            },
            example: { overlap_seconds: 3600 },
          },
        },
      },
      responses: {
        201: { description: 'The key was created.', content: json('CreatedKey') },
        400: problem('A parameter or field is invalid; details names it.'),
        ...commonProblems,
        404: problem('The key does not exist.'),
        409: problem(
          'KEY_ROTATING: the key is already being replaced. SELF_REVOCATION: the key of the request would end within a minute, and confirm=self is missing.',
        ),
      },
    },
  },
  '/api/v1/keys/{id}': {
    delete: {
      ...reads('keys', 'Revoke a key at once', 'admin', ok('Key'), [inPath('id'), confirm]),
      responses: {
        204: { description: 'The key was revoked.' },
        400: problem('A parameter is invalid; details names it.'),
        ...commonProblems,
        404: problem('The key does not exist.'),
        409: problem(
          'LAST_ADMIN_KEY: the tenant has no other valid key with the scope admin. SELF_REVOCATION: it is the key of the request, and confirm=self is missing. ADMIN_KEYS_EXPIRE: the other admin keys expire before this one, and confirm=expiry is missing.',
        ),
      },
    },
  },
  '/openapi.json': {
    get: {
      tags: ['docs'],
      summary: 'This document',
      security: [],
      responses: {
        200: {
          description: 'The document.',
          content: { 'application/json': { schema: { type: 'object', additionalProperties: true } } },
        },
        400: unknownInput,
      },
    },
  },
  '/docs': {
    get: {
      tags: ['docs'],
      summary: 'This document as a page',
      security: [],
      responses: {
        200: { description: 'The page.', content: { 'text/html': { schema: { type: 'string' } } } },
        400: unknownInput,
      },
    },
  },
  '/api/health': { get: health('Report the overall health') },
  '/api/system/health': { get: health('Report the health with memory, processors and disk') },
  '/api/health/detailed': { get: { ...health('Report the health of every part in detail'), ...needs('admin') } },
}

/** Names of operations for generated clients, such as postApiV1QueryFunnel and getV1ReceiptsReceipt. */
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
  const components = {
    ...schemas,
    ...cloudEventsSchemas,
    ...listSchemas,
    ...logSchemas,
    ...logTransformSchemas,
    ...queryComponents,
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace',
      version: '0.1.0',
      description:
        'Accepts events by the protocols of existing analytics clients, stores them, and answers queries over them. A ledger accounts for every accepted record. Every error is a problem document (RFC 9457) with a stable code. Input that an operation does not use is an error (400 INVALID_REQUEST, details names it): unknown, repeated or empty parameters, unknown or empty fields, a body or a content type that is not described. In a JSON body null stands for an absent field. Only the paths that SDKs call ignore parameters that they do not know (x-ignores-other-parameters).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: withOperationIds(paths),
    components: {
      schemas: components,
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic', description: 'The key is the user name; the password is empty.' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The key.' },
        ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: 'A ticket for live streams.' },
      },
    },
  }
}
