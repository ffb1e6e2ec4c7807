import { inQuery, json, needs } from './openapi-parts.js'
import { idOrName, type Node, object, ref, text, time } from './openapi-schemas.js'

const event = {
  specversion: '1.0',
  id: '7',
  source: '/shop/orders',
  type: 'com.example.order.completed',
  time: '2026-11-21T08:00:00.000Z',
  userid: 'user-1',
  data: { revenue: 39.9 },
}

/** The header of an attribute; events in other modes have it in the body. */
function inBinaryMode(attribute: keyof typeof event): Node {
  return {
    name: `ce-${attribute}`,
    in: 'header',
    description: `Binary mode only: the attribute ${attribute}.`,
    schema: { type: 'string' },
    example: event[attribute],
  }
}

/** Path of the CloudEvents protocol. `problems` are the error responses that it shares with the other paths that accept events. */
export function cloudEventsPaths(problems: Node): Node {
  return {
    '/v1/cloudevents': {
      post: {
        tags: ['ingest'],
        summary: 'Accept CloudEvents 1.0 and answer with a verdict for each',
        description:
          'Structured and batch mode are JSON and named by the content type. In binary mode attributes are headers such as ce-id, percent-encoded where the specification requires it, and the body of any content type is the data. The message id is source and id together. The extension userid is the user id and anonymousid the anonymous id; an event with neither has its subject, or else its source, as anonymous id. Data that is not a JSON object is stored in the property data or data_base64. The context keeps the other attributes under cloudevents.',
        ...needs('write'),
        parameters: [
          inQuery('wait', 'stored: answer when the rows are committed, but after 10 s at the latest.', {
            enum: ['stored'],
          }),
          ...(['specversion', 'id', 'source', 'type', 'userid'] as const).map(inBinaryMode),
        ],
        // In binary mode an event may have no data.
        requestBody: {
          required: false,
          content: {
            'application/cloudevents+json': { schema: ref('CloudEvent'), example: event },
            'application/cloudevents-batch+json': {
              schema: { type: 'array', items: ref('CloudEvent') },
              example: [event],
            },
            '*/*': {
              schema: { description: 'The data of one event in binary mode.' },
              example: event.data,
            },
          },
        },
        responses: {
          200: {
            description: 'The stream holds every accepted event.',
            content: json('NativeAcceptance', {
              success: true,
              receipt: 'AQHJo9wJmjRNgaZcj5JSoA3_CgEAAQ',
              accepted: 1,
              rejected: [],
              events: [{ index: 0, messageId: '/shop/orders 7', verdict: 'accepted' }],
            }),
          },
          ...problems,
        },
      },
    },
  }
}

/** Schemas of the CloudEvents wire. */
export const cloudEventsSchemas: Node = {
  CloudEvent: {
    ...object(
      {
        specversion: { const: '1.0' },
        id: idOrName('Unique together with source.'),
        source: idOrName('URI reference of what the event comes from.'),
        type: idOrName('Name of the event.', { maxLength: 255 }),
        time: time('When it happened. Default: when it was received.'),
        subject: idOrName('What the event is about.'),
        datacontenttype: text('Content type of the data.'),
        dataschema: text('URI of the schema of the data.'),
        userid: idOrName('Extension: the user id.', { maxLength: 255 }),
        anonymousid: idOrName('Extension: the id of a user who is not known yet.', { maxLength: 255 }),
        data: { description: 'Any JSON value.' },
        data_base64: text('Binary data as base64; excludes data.'),
      },
      ['specversion', 'id', 'source', 'type'],
    ),
    additionalProperties: true,
    description: 'CloudEvents 1.0 in JSON format. Further members are extensions.',
    example: event,
  },
}
