import { inPath, inQuery, ok, pageLimit, problem, reads } from './openapi-parts.js'
import { listExamples } from './openapi-samples.js'
import {
  anyObject,
  count,
  listOf,
  type Node,
  nextCursor,
  nullable,
  object,
  ref,
  text,
  time,
} from './openapi-schemas.js'

const sessionSummary = object({
  active_sessions: count('Sessions that are active now, of all users or of the user that the request names.'),
})

/** Schemas of the lists of sessions and activities. */
export const listSchemas: Node = {
  ListMeta: object({
    source: { const: 'raw', description: 'Lists are always read from rows.' },
    age_ms: { type: 'number', minimum: 0, description: 'Milliseconds since the answer was read from the database.' },
    watermark: nullable(
      time('Everything accepted up to this time is included; null before any consumer has reported a watermark.'),
    ),
    took_ms: { type: 'number', minimum: 0, description: 'Milliseconds that answering took on the server.' },
  }),
  Session: object({
    session_id: text('Id that the client gave the session.'),
    user_id: nullable(
      text('The earliest user id of the session, or the earliest anonymous id when no event has a user id.'),
    ),
    is_active: {
      type: 'boolean',
      description: 'Whether the session has not ended and had an event recently.',
    },
    started_at: time('Time of the earliest event of the session.'),
    last_seen_at: time('Time of the latest event of the session.'),
    ended_at: nullable(time('When the session ended, which is the time of its latest event; null while it is active.')),
    end_reason: nullable(
      text('The reason of $session_end, or ended without one; idle for a session that had no events for too long.'),
    ),
    device: nullable(text('Kind of device, from context.userAgent; null when it is unknown.')),
    browser: nullable(text('Browser, from context.userAgent; null when it is unknown.')),
    os: nullable(text('Operating system, from context.userAgent; null when it is unknown.')),
    ip: nullable(text('Address of the client, from context.ip.')),
  }),
  Sessions: object(
    { data: listOf('Session'), summary: sessionSummary, next_cursor: nextCursor, meta: ref('ListMeta') },
    ['data', 'next_cursor', 'meta'],
  ),
  Activity: object({
    message_id: text('Message id of the event.'),
    user_id: text('The earliest user id of the session, or the earliest anonymous id when no event has a user id.'),
    timestamp: time('When the activity happened.'),
    action: text('What the user did.'),
    entity_type: text('Type of the entity.'),
    entity_id: text('Id of the entity.'),
    metadata: anyObject('Further facts that the client sent.'),
  }),
  Activities: object({ data: listOf('Activity'), next_cursor: nextCursor, meta: ref('ListMeta') }),
}

const withExample = (parameter: Node, example: unknown): Node => ({ ...parameter, example })
const limit = inQuery('limit', 'Rows per page.', pageLimit)
const page = [limit, inQuery('cursor', 'next_cursor of the previous page of the same request.')]
const range = [
  withExample(inQuery('from', 'Start of the range, inclusive, as RFC 3339.'), '2026-11-19T00:00:00Z'),
  withExample(inQuery('to', 'End of the range, exclusive, as RFC 3339.'), '2026-11-20T00:00:00Z'),
]
const short =
  'When few rows match, a page may be short or even empty and still have a cursor; only a page without a cursor is the last. A page has at most 8 MiB.'
const ofSessions = [
  inQuery('active', 'true for active sessions, false for ended ones. Default: both.', { type: 'boolean' }),
  inQuery('session_id', 'Id of the session.'),
  withExample(inQuery('device', 'Kind of device, such as desktop, mobile or tablet.'), 'desktop'),
  inQuery('browser', 'Browser, such as Firefox.'),
  inQuery('os', 'Operating system, such as Linux.'),
  ...range,
  ...page,
]

const sampleMeta = { source: 'raw', age_ms: 0, watermark: '2026-11-21T08:00:00.000Z', took_ms: 1.4 }

function list(
  { summary, description }: { readonly summary: string; readonly description: string },
  {
    schema,
    example,
    parameters,
  }: { readonly schema: string; readonly example: Node; readonly parameters: readonly Node[] },
): Node {
  const answer = ok(schema, { ...example, next_cursor: null, meta: sampleMeta })
  const plain = reads('query', summary, 'read', answer, parameters)
  const busy = problem(
    'The tenant already has the maximum number of queries waiting; Retry-After says when to try again.',
  )
  return { get: { ...plain, description, responses: { ...(plain.responses as Node), 429: busy } } }
}

const aboutSessions = `Ordered by their start, which from and to refer to. Sessions come from $session_start, $session_end and other typed events with a session_id; a session without events for half an hour has ended. A session that has ended goes on when an event comes whose time is later. Only the first page has a summary. ${short}`

/** Paths of the lists of sessions and activities. */
export const listPaths: Node = {
  '/api/v1/sessions': list(
    { summary: 'Sessions, newest first', description: aboutSessions },
    {
      schema: 'Sessions',
      example: { ...listExamples.sessions },
      parameters: [
        withExample(inQuery('user_id', 'User id, or anonymous id of events without a user id.'), 'u1'),
        ...ofSessions,
      ],
    },
  ),
  '/api/v1/users/{id}/sessions': list(
    { summary: 'Sessions of one user, newest first', description: aboutSessions },
    {
      schema: 'Sessions',
      example: { ...listExamples.sessions },
      parameters: [withExample(inPath('id'), 'u1'), ...ofSessions],
    },
  ),
  '/api/v1/activities': list(
    {
      summary: 'Activities, newest first',
      description: `From $activity events: which user did what to which entity. ${short}`,
    },
    {
      schema: 'Activities',
      example: { ...listExamples.activities },
      parameters: [
        inQuery('user_id', 'User id, or anonymous id of events without a user id.'),
        inQuery('action', 'What the user did.'),
        withExample(inQuery('entity_type', 'Type of the entity.'), 'order'),
        withExample(inQuery('entity_id', 'Id of the entity.'), 'order-41'),
        ...range,
        ...page,
      ],
    },
  ),
}
