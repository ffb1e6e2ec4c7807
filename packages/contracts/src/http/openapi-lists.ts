import { inPath, inQuery, ok, problem, reads } from './openapi-parts.js'
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
  active_sessions: count('sessions that go on now, of everybody or of the user who is asked about'),
})

/** Shapes of the lists of sessions and activities. */
export const listSchemas: Node = {
  ListMeta: object({
    source: { const: 'raw', description: 'rows of a table of their own' },
    age_ms: { type: 'number', minimum: 0, description: 'milliseconds since the answer was read' },
    watermark: nullable(time('up to when everything accepted is in the answer; null when no consumer has said so yet')),
    took_ms: { type: 'number', minimum: 0, description: 'milliseconds that answering took' },
  }),
  Session: object({
    session_id: text(''),
    user_id: nullable(text('or the anonymous id, where there is no user id')),
    is_active: {
      type: 'boolean',
      description: 'whether it goes on: it has not ended, and something was heard of it lately',
    },
    started_at: time(''),
    last_seen_at: time('when the last typed event named it'),
    ended_at: nullable(time('null while it goes on')),
    end_reason: nullable(text('what $session_end says, else ended; idle where nothing was heard of it for too long')),
    device: nullable(text('from context.userAgent, as browser and os')),
    browser: nullable(text('')),
    os: nullable(text('')),
    ip: nullable(text('')),
  }),
  Sessions: object(
    { data: listOf('Session'), summary: sessionSummary, next_cursor: nextCursor, meta: ref('ListMeta') },
    ['data', 'next_cursor', 'meta'],
  ),
  Activity: object({
    message_id: text(''),
    user_id: text('or the anonymous id, where there is no user id'),
    timestamp: time(''),
    action: text(''),
    entity_type: text(''),
    entity_id: text(''),
    metadata: anyObject(''),
  }),
  Activities: object({ data: listOf('Activity'), next_cursor: nextCursor, meta: ref('ListMeta') }),
}

const asked = (parameter: Node, example: unknown): Node => ({ ...parameter, example })
const limit = inQuery('limit', 'rows of a page', { type: 'integer', minimum: 1, maximum: 1000, default: 100 })
const page = [limit, inQuery('cursor', 'next_cursor of the page before, for the same question')]
const range = [
  asked(inQuery('from', 'inclusive, RFC 3339'), '2026-11-19T00:00:00Z'),
  asked(inQuery('to', 'exclusive, RFC 3339'), '2026-11-20T00:00:00Z'),
]
const short =
  'Where few rows match, a page may be short or empty and have a cursor: only one without a cursor is the last. A page ends at 8 MiB at the latest.'
const ofSessions = [
  inQuery('active', 'true: those that go on; false: those that are over', { type: 'boolean' }),
  inQuery('session_id', ''),
  asked(inQuery('device', 'such as desktop, mobile, tablet'), 'desktop'),
  inQuery('browser', 'such as Firefox'),
  inQuery('os', 'such as Linux'),
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
  const busy = problem('the tenant has as many queries waiting as it may; Retry-After says when to try again')
  return { get: { ...plain, description, responses: { ...(plain.responses as Node), 429: busy } } }
}

const aboutSessions = `By their start; from and to are of the start as well. Sessions come from typed events that name one ($session_start, $session_end, and any other with a session_id); one of which nothing is heard for half an hour is ended. The first page has a summary. ${short}`

export const listPaths: Node = {
  '/api/v1/sessions': list(
    { summary: 'Sessions, newest first', description: aboutSessions },
    {
      schema: 'Sessions',
      example: { ...listExamples.sessions },
      parameters: [asked(inQuery('user_id', ''), 'u1'), ...ofSessions],
    },
  ),
  '/api/v1/users/{id}/sessions': list(
    { summary: 'Sessions of one user, newest first', description: aboutSessions },
    {
      schema: 'Sessions',
      example: { ...listExamples.sessions },
      parameters: [asked(inPath('id'), 'u1'), ...ofSessions],
    },
  ),
  '/api/v1/activities': list(
    {
      summary: 'Activities, newest first',
      description: `What $activity events say: who did what to which entity. ${short}`,
    },
    {
      schema: 'Activities',
      example: { ...listExamples.activities },
      parameters: [
        inQuery('user_id', ''),
        inQuery('action', ''),
        asked(inQuery('entity_type', ''), 'order'),
        asked(inQuery('entity_id', ''), 'order-41'),
        ...range,
        ...page,
      ],
    },
  ),
}
