/** A JSON Schema or another part of an OpenAPI document. */
export type Node = Readonly<Record<string, unknown>>

/** A string. */
export const text = (description: string, more: Node = {}): Node => ({ type: 'string', description, ...more })
/** An id or a name in an event that is sent: a number is taken as the text of its digits. */
export const idOrName = (description: string, more: Node = {}): Node => ({
  type: ['string', 'number', 'null'],
  description,
  ...more,
})
/** An integer from 0. */
export const count = (description: string): Node => ({ type: 'integer', minimum: 0, description })
/** A time in RFC 3339. */
export const time = (description: string): Node => ({ type: 'string', format: 'date-time', description })
/** The time of an event that is sent. */
const timeOrNumber = (description: string): Node => ({
  description,
  oneOf: [
    { type: 'string', format: 'date-time' },
    { type: 'number', description: 'Below 10^11 seconds since 1970, else milliseconds.' },
    { type: 'null' },
  ],
})
/** An object with any members. */
export const anyObject = (description: string): Node => ({ type: 'object', additionalProperties: true, description })
/** The schema, or null. */
export const nullable = (schema: Node): Node => ({ oneOf: [schema, { type: 'null' }] })
/** A list of the named schema. */
export const listOf = (name: string): Node => ({ type: 'array', items: ref(name) })
/** An object; without `required` all properties are required. */
export const object = (properties: Node, required: readonly string[] = Object.keys(properties)): Node => ({
  type: 'object',
  properties,
  required,
})

/** A reference to a schema of the document. */
export function ref(name: string): Node {
  return { $ref: `#/components/schemas/${name}` }
}

/** The member that continues a list. */
export const nextCursor = nullable(text('Pass it as cursor to get the next page; null on the last page.'))

const acceptance: Node = {
  success: { type: 'boolean', description: 'False when every event was rejected.' },
  receipt: text('Identifies the request in GET /v1/receipts/{receipt}.'),
  accepted: count('Events that the stream holds.'),
  rejected: listOf('Rejection'),
}

const key: Node = {
  id: text('Identifies the key; it is not the key itself.'),
  name: text('Name given when the key was created.'),
  hint: text('The first characters of the key.'),
  scopes: { type: 'array', items: { enum: ['write', 'read', 'admin'] } },
  created_at: time('When the key was created.'),
  expires_at: nullable(time('When the key stops working; null for never.')),
  revoked_at: nullable(time('When the key was revoked; null for a key that was not.')),
}

/** Named schemas of the public API, except those of queries and lists. */
export const schemas: Node = {
  Event: {
    ...object(
      {
        type: { enum: ['track', 'identify', 'page', 'screen', 'group', 'alias'], default: 'track' },
        event: idOrName(
          'Name of a track event. $login, $activity, $session_start and $session_end have properties in a fixed form.',
          { maxLength: 255 },
        ),
        messageId: idOrName(
          'Events of the same user with an id that was seen in the last 24 hours are duplicates. Default: a new id.',
          {
            maxLength: 255,
          },
        ),
        userId: idOrName('Id of the user. Either userId or anonymousId is required.', { maxLength: 255 }),
        anonymousId: idOrName('Id of a user who has not been identified yet.', { maxLength: 255 }),
        timestamp: timeOrNumber('When the event happened. Default: originalTimestamp, else when it was received.'),
        originalTimestamp: timeOrNumber('When the event happened, by the clock of the client.'),
        sentAt: timeOrNumber(
          'When the client sent the event, by its own clock. The server corrects the time of the event for an error of that clock, and keeps the time before in context.originalTimestamp.',
        ),
        receivedAt: timeOrNumber('When another server received the event; then timestamp is not corrected.'),
        properties: anyObject('Properties of the event. identify and group events use traits instead.'),
        traits: anyObject('Properties of the user or the group.'),
        context: anyObject('Where the event came from: library, ip, userAgent and more.'),
        name: idOrName('Name of a page or screen.'),
        category: idOrName('Category of a page or screen.'),
        groupId: idOrName('Id of the group, for group events.'),
        previousId: idOrName('Earlier id of the user, for alias events.'),
      },
      [],
    ),
    description:
      'Field names may also be in snake case, such as user_id and message_id. Other fields are ignored. Numbers as ids and names become texts.',
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
      sentAt: timeOrNumber('When the client sent the batch, by its own clock.'),
      context: anyObject('Merged with the context of each event, objects inside it too; the event wins.'),
      userId: idOrName('Id of the user for events that have none.', { maxLength: 255 }),
      anonymousId: idOrName('Anonymous id for events that have none.', { maxLength: 255 }),
      timestamp: timeOrNumber('When the events happened that have no time of their own.'),
      writeKey: text('The API key, instead of the Authorization header.'),
    },
    ['batch'],
  ),
  Rejection: object({
    index: count('Index of the event in the request, from 0.'),
    messageId: nullable(text('The message id, when it could be read.')),
    code: text('Stable code, such as missing_user or timestamp_out_of_range.'),
    reason: text('The reason in words.'),
  }),
  KeptRejection: object({
    time: time('When the event or request was rejected.'),
    scope: { enum: ['event', 'request'], description: 'request: the request was refused whole.' },
    wire: text('Protocol: segment, native or cloudevents.'),
    path: text('Path of the request.'),
    code: text('Stable code, such as missing_user; in upper case for requests.'),
    reason: text('The reason in words.'),
    index: nullable(count('Index of the event in its request, from 0; null for a request.')),
    message_id: nullable(text('Message id of the event.')),
    type: nullable(text('Type of the event as the client sent it.')),
    event: nullable(text('Name of the event.')),
    user_id: nullable(text('User id of the event, masked.')),
    anonymous_id: nullable(text('Anonymous id of the event, masked.')),
    library: nullable(text('Name and version of the client library, from context.library.')),
    user_agent: nullable(text('User-Agent header of the request, masked.')),
    excerpt: nullable(
      text(
        'The first characters of the event, or of the body of a refused request, masked; null when they are not known.',
      ),
    ),
    bytes: count('Size of the event, or of the body as far as it was read.'),
    omitted: count('Rejections with the same code that this gateway left out of the list since the one before.'),
  }),
  Rejections: object({ data: listOf('KeptRejection'), next_cursor: nextCursor }),
  Acceptance: object(acceptance),
  NativeAcceptance: object(
    {
      ...acceptance,
      events: {
        type: 'array',
        items: object(
          {
            index: count('Index of the event in the request, from 0.'),
            messageId: nullable(text('The message id of the event, or the one it was given.')),
            verdict: { enum: ['accepted', 'rejected'] },
            code: text('Code of the rejection.'),
            reason: text('Reason of the rejection in words.'),
          },
          ['index', 'messageId', 'verdict'],
        ),
      },
      outcome: {
        oneOf: [ref('Outcome'), { const: 'unknown' }],
        description: 'Only with wait=stored; unknown when it could not be determined in time.',
      },
    },
    [...Object.keys(acceptance), 'events'],
  ),
  Outcome: object({
    state: { enum: ['in_flight', 'settled'] },
    stored: count('Records stored as rows.'),
    duplicate: count('Records whose user had sent a record with the same message id in the last 24 hours.'),
    dead_lettered: count('Records that cannot be stored; see dead letters.'),
    in_flight: count('Records that are not committed yet.'),
  }),
  Receipt: object({
    state: { enum: ['in_flight', 'settled'] },
    accepted: count('Accepted records of the request.'),
    stored: count('Records stored as rows.'),
    duplicate: count('Records whose user had sent a record with the same message id in the last 24 hours.'),
    dead_lettered: count('Records that cannot be stored; see dead letters.'),
    in_flight: count('Records that are not committed yet.'),
    frames: {
      type: 'array',
      items: object({
        partition: count('Partition of the stream.'),
        sequence: count('Number of the frame of its producer and partition, from 1.'),
        records: count('Records of the request in this frame.'),
        settled: { type: 'boolean', description: 'Whether the frame is committed.' },
      }),
    },
  }),
  Ledger: object({
    streams: {
      type: 'array',
      items: object({
        stream: text('Name of the stream.'),
        tenant: text('Id of the tenant.'),
        accepted: count('Always stored + duplicate + rejected + dead_lettered + in_flight.'),
        stored: count('Records stored as rows, whether or not the rows are still there.'),
        expired: count('The part of stored whose rows retention has deleted; stored - expired rows are there.'),
        duplicate: count('Records that were dropped because their user had sent a record with the same message id.'),
        rejected: count('Records that were rejected one by one inside accepted requests.'),
        dead_lettered: count('Records that cannot be stored.'),
        in_flight: count('Records that are not committed yet.'),
        lost: count('Records that were acknowledged and cannot be found. Anything but 0 is a fault.'),
        balanced: {
          type: 'boolean',
          description: 'True when nothing is lost, no count is negative and expired is not above stored.',
        },
      }),
    },
  }),
  StoredEvent: object({
    message_id: text('Id that the client gave the event; with the user, the key of deduplication.'),
    type: text('track, identify, page, screen, group or alias.'),
    event: text('Name of the event.'),
    user_id: nullable(text('Id of the user.')),
    anonymous_id: nullable(text('Id of a user who was not identified yet.')),
    timestamp: time('When the event happened.'),
    received_at: time('When the gateway received it.'),
    properties: nullable(anyObject('Properties of the event, or traits.')),
    context: nullable(anyObject('Where the event came from.')),
    partition: count('Partition of the stream that carried it.'),
    position: { type: 'integer', description: 'Position in that partition.' },
  }),
  StoredEvents: object({ data: listOf('StoredEvent'), next_cursor: nextCursor }),
  DeadLetter: object({
    id: text('Identifies the dead letter.'),
    stream: text('Name of the stream.'),
    partition: count('Partition of the stream.'),
    position: text('Position in that partition.'),
    message_id: text('Message id of the record.'),
    code: text('Why the record cannot be stored: a stable code.'),
    reason: text('The same in words.'),
    state: { enum: ['pending', 'replaying', 'replayed', 'discarded'] },
    created_at: time('When the record became a dead letter.'),
    record: { description: 'The record.' },
  }),
  DeadLetters: object({ data: listOf('DeadLetter'), next_cursor: nextCursor }),
  LiveTicket: object({
    ticket: text('The ticket. It is a secret until it expires.'),
    expires_at: time('Until when it opens streams.'),
    url: text('Path and query of the stream, to be appended to the address of the gateway.'),
  }),
  Key: object(key),
  NewKey: object(
    {
      name: text('Name to recognise the key by.', { maxLength: 100 }),
      scopes: { type: 'array', items: { enum: ['write', 'read', 'admin'] }, minItems: 1 },
      expires_at: nullable(time('When the key stops working. Default, and null: never.')),
    },
    ['scopes'],
  ),
  CreatedKey: object({ ...key, key: text('The key. It is shown only in this answer.') }),
  Keys: object({ data: listOf('Key') }),
  Health: object(
    {
      timestamp: time('When the answer was made.'),
      status: { enum: ['healthy', 'degraded', 'unhealthy'] },
      version: text('Version of Millrace.'),
      uptime: { type: 'number', description: 'Seconds since the service started.' },
      services: anyObject('Status, latency and more of database, redis and queues.'),
      system: anyObject('Memory, processors and disk.'),
      synthetic: anyObject('The last test event that was sent through the whole pipeline, and how long it took.'),
    },
    ['timestamp', 'status', 'uptime'],
  ),
  Problem: {
    ...object(
      {
        type: text('urn:millrace:error: and the code in lower case.'),
        title: text('Title of the HTTP status.'),
        status: { type: 'integer', description: 'The HTTP status.' },
        code: text('Stable code for programs.'),
        detail: text('What is wrong, in words.'),
        retryable: { type: 'boolean', description: 'Whether the same request may succeed later.' },
        request_id: text('Identifies the request in the logs of the server.'),
        trace_id: text('Identifies the trace of the request, when tracing is on.'),
        details: anyObject('Facts about the error, depending on code.'),
      },
      ['type', 'title', 'status', 'code', 'detail', 'retryable'],
    ),
    description: 'Every error, as a problem document of RFC 9457.',
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
