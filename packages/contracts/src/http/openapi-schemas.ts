/** A JSON Schema or another part of an OpenAPI document. */
export type Node = Readonly<Record<string, unknown>>

export const text = (description: string, more: Node = {}): Node => ({ type: 'string', description, ...more })
export const count = (description: string): Node => ({ type: 'integer', minimum: 0, description })
export const time = (description: string): Node => ({ type: 'string', format: 'date-time', description })
export const anyObject = (description: string): Node => ({ type: 'object', additionalProperties: true, description })
export const nullable = (schema: Node): Node => ({ oneOf: [schema, { type: 'null' }] })
export const listOf = (name: string): Node => ({ type: 'array', items: ref(name) })
export const object = (properties: Node, required: readonly string[] = Object.keys(properties)): Node => ({
  type: 'object',
  properties,
  required,
})

export function ref(name: string): Node {
  return { $ref: `#/components/schemas/${name}` }
}

export const nextCursor = nullable(text('to be given as cursor for the next page; null at the end'))

const acceptance: Node = {
  success: { type: 'boolean', description: 'false when every event was refused' },
  receipt: text('for GET /v1/receipts/{receipt}'),
  accepted: count('events that are in the stream'),
  rejected: listOf('Rejection'),
}

const key: Node = {
  id: text(''),
  name: text(''),
  hint: text('the beginning of the key'),
  scopes: { type: 'array', items: { enum: ['write', 'read', 'admin'] } },
  created_at: time(''),
  expires_at: nullable(time('')),
  revoked_at: nullable(time('')),
}

/** Shapes of the public API by name. */
export const schemas: Node = {
  Event: {
    ...object(
      {
        type: { enum: ['track', 'identify', 'page', 'screen', 'group', 'alias'], default: 'track' },
        event: text(
          'name of a track event; $login, $activity, $session_start and $session_end have properties of a fixed form',
          { maxLength: 255 },
        ),
        messageId: text('makes a repeated event a duplicate for 24 hours; made up when absent', { maxLength: 255 }),
        userId: text('one of userId and anonymousId is needed', { maxLength: 255 }),
        anonymousId: text('of a user who is not known yet', { maxLength: 255 }),
        timestamp: time('when it happened; default: when it was received'),
        sentAt: time('when the client sent it, by its own clock, whose error is then taken out of timestamp'),
        properties: anyObject('what is to be known about it; traits for identify and group'),
        traits: anyObject('of the user or the group'),
        context: anyObject('where it came from: library, ip, userAgent, …'),
        name: text('of a page or screen'),
        category: text('of a page or screen'),
        groupId: text('of a group event'),
        previousId: text('of an alias event'),
      },
      [],
    ),
    description: 'Field names may also be in snake case (user_id, message_id, …). Other fields are ignored.',
    example: {
      type: 'track',
      event: 'Order Completed',
      userId: 'user-1',
      messageId: '0193a1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b',
      timestamp: '2026-11-21T08:00:00.000Z',
      properties: { revenue: 39.9, currency: 'EUR' },
    },
  },
  Batch: object(
    {
      batch: listOf('Event'),
      sentAt: time('when the client sent the batch, by its own clock'),
      context: anyObject('for events without a context'),
      writeKey: text('instead of the Authorization header'),
    },
    ['batch'],
  ),
  Rejection: object({
    index: count('place in the request, from 0'),
    messageId: nullable(text('as far as it can be told')),
    code: text('stable, such as missing_user or timestamp_out_of_range'),
    reason: text('for people'),
  }),
  Acceptance: object(acceptance),
  NativeAcceptance: object(
    {
      ...acceptance,
      events: {
        type: 'array',
        items: object(
          {
            index: count('from 0'),
            messageId: nullable(text('given or made')),
            verdict: { enum: ['accepted', 'rejected'] },
            code: text(''),
            reason: text(''),
          },
          ['index', 'messageId', 'verdict'],
        ),
      },
      outcome: {
        oneOf: [ref('Outcome'), { const: 'unknown' }],
        description: 'with wait=stored; unknown when nobody could be asked in time',
      },
    },
    [...Object.keys(acceptance), 'events'],
  ),
  Outcome: object({
    state: { enum: ['in_flight', 'settled'] },
    stored: count('rows'),
    duplicate: count('known by their message id already'),
    dead_lettered: count('put aside, see dead letters'),
    in_flight: count('not committed yet'),
  }),
  Receipt: object({
    state: { enum: ['in_flight', 'settled'] },
    accepted: count('records of the request'),
    stored: count('rows'),
    duplicate: count('known already'),
    dead_lettered: count('put aside'),
    in_flight: count('not committed yet'),
    frames: {
      type: 'array',
      items: object({ partition: count(''), sequence: count(''), records: count(''), settled: { type: 'boolean' } }),
    },
  }),
  Ledger: object({
    streams: {
      type: 'array',
      items: object({
        stream: text(''),
        tenant: text(''),
        accepted: count('stored + duplicate + rejected + dead_lettered + in_flight'),
        stored: count(''),
        duplicate: count(''),
        rejected: count('refused one by one inside requests that were accepted'),
        dead_lettered: count(''),
        in_flight: count(''),
        lost: count('acknowledged and nowhere to be found: 0 unless something is badly wrong'),
        balanced: { type: 'boolean' },
      }),
    },
  }),
  StoredEvent: object({
    message_id: text(''),
    type: text(''),
    event: text(''),
    user_id: nullable(text('')),
    anonymous_id: nullable(text('')),
    timestamp: time(''),
    received_at: time(''),
    properties: nullable(anyObject('')),
    context: nullable(anyObject('')),
    partition: count(''),
    position: { type: 'integer' },
  }),
  StoredEvents: object({ data: listOf('StoredEvent'), next_cursor: nextCursor }),
  DeadLetter: object({
    id: text(''),
    stream: text(''),
    partition: count(''),
    position: text(''),
    message_id: text(''),
    code: text(''),
    reason: text(''),
    state: { enum: ['pending', 'replaying', 'replayed', 'discarded'] },
    created_at: time(''),
    record: {},
  }),
  DeadLetters: object({ data: listOf('DeadLetter'), next_cursor: nextCursor }),
  Key: object(key),
  NewKey: object(
    {
      name: text('', { maxLength: 100 }),
      scopes: { type: 'array', items: { enum: ['write', 'read', 'admin'] }, minItems: 1 },
      expires_at: time(''),
    },
    ['scopes'],
  ),
  CreatedKey: object({ ...key, key: text('shown this once') }),
  Keys: object({ data: listOf('Key') }),
  Health: object(
    {
      timestamp: time(''),
      status: { enum: ['healthy', 'degraded', 'unhealthy'] },
      version: text(''),
      uptime: { type: 'number', description: 'seconds' },
      services: anyObject('database, redis, queues: status, latency and more'),
      system: anyObject('memory, cpu, disk'),
      synthetic: anyObject('the last event sent through everything as a test, and how long it took'),
    },
    ['timestamp', 'status', 'uptime'],
  ),
  Problem: {
    ...object(
      {
        type: text('urn:millrace:error:<code in lower case>'),
        title: text(''),
        status: { type: 'integer' },
        code: text('stable: switch on this'),
        detail: text('for people'),
        retryable: { type: 'boolean', description: 'whether the same request may succeed later' },
        request_id: text('to be quoted when asking for help'),
        trace_id: text(''),
        details: anyObject(''),
      },
      ['type', 'title', 'status', 'code', 'detail', 'retryable'],
    ),
    description: 'RFC 9457',
    example: {
      type: 'urn:millrace:error:malformed_body',
      title: 'Bad request',
      status: 400,
      code: 'MALFORMED_BODY',
      detail: "the body is not JSON: found '}' instead of a value at byte 17 (line 2, column 7)",
      retryable: false,
      request_id: 'f94d24ef776114f558e78cec399d55cc',
      details: { offset: 17, line: 2, column: 7 },
    },
  },
}
