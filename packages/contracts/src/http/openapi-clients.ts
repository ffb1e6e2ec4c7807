import { commonProblems, inPath, inQuery, needs, problem } from './openapi-parts.js'
import type { Node } from './openapi-schemas.js'

// Paths besides those of events that the SDKs of Segment and RudderStack call.

const image: Node = {
  description:
    'An image of 1 × 1 pixels. It is the body of every response; the header Millrace-Error has the code of a refusal.',
  content: { 'image/gif': { schema: { type: 'string', format: 'binary' } } },
}
const refused = (description: string): Node => ({ ...image, description: `${description} The body is the image.` })

/** SDKs add parameters of their own, which differ between versions. */
const ignoresOthers: Node = { 'x-ignores-other-parameters': true }

function pixel(type: string): Node {
  return {
    get: {
      tags: ['ingest'],
      ...ignoresOthers,
      summary: `Accept one ${type} event by an image`,
      description:
        'For e-mails and pages without scripts. The event is in the URL: either data is the event as JSON or base64 of JSON, or each parameter is a member, with dots for nested ones, such as userId, event and properties.subject. Times in digits are milliseconds since 1970. HEAD accepts nothing. URLs are written to logs on their way, so use a key that can only write.',
      ...needs('write'),
      parameters: [
        inQuery('data', 'The event, as JSON or base64 of JSON. It may contain writeKey.'),
        inQuery('writeKey', 'The write key, if there is no Authorization header.'),
        inQuery('userId', 'Id of the user. Either userId or anonymousId is required.'),
        inQuery('anonymousId', 'Id of a user who has not been identified yet.'),
        ...(type === 'track' ? [inQuery('event', 'Name of the event.')] : []),
      ],
      responses: {
        200: image,
        400: refused('The parameters do not form an event.'),
        401: refused('The request has no valid key.'),
        403: refused('The key lacks the required scope.'),
        429: refused('The tenant exceeds its rate limit, or the stream is nearly full.'),
        503: refused('Neither the stream nor the spool accepts records now.'),
      },
    },
  }
}

const anyJson = (example: Node): Node => ({
  description: 'The answer. Clients may keep it for a minute.',
  content: { 'application/json': { schema: { type: 'object', additionalProperties: true }, example } },
})

export const clientPaths: Node = {
  ...Object.fromEntries(
    ['track', 'identify', 'page', 'screen', 'group', 'alias'].map((type) => [`/v1/pixel/${type}`, pixel(type)]),
  ),
  '/pixel/v1/track': pixel('track'),
  '/pixel/v1/page': pixel('page'),
  '/v1/m': {
    post: {
      tags: ['clients'],
      ...ignoresOthers,
      summary: 'Take the metrics that Segment’s SDKs send about themselves, and drop them',
      security: [],
      requestBody: {
        content: {
          'application/json': {
            schema: { type: 'object', additionalProperties: true },
            example: { series: [{ type: 'Counter', metric: 'analytics_js.invoke', value: 1, tags: {} }] },
          },
        },
      },
      responses: {
        200: anyJson({ success: true }),
        413: problem('The body is larger than 65,536 bytes.'),
        415: problem('The content encoding is not gzip, deflate or br.'),
      },
    },
  },
  '/v1/projects/{key}/settings': {
    get: {
      tags: ['clients'],
      ...ignoresOthers,
      summary: 'Report the settings with which Segment’s SDKs for browsers and mobile devices start',
      description:
        'They make the SDK send its events here (apiHost and protocol, see HTTP_PUBLIC_URL), load no integration and report no metrics. The key is in the path because the SDKs put it there.',
      security: [],
      parameters: [inPath('key')],
      responses: {
        200: anyJson({
          integrations: { 'Segment.io': { apiKey: 'mr_write_dev', apiHost: '127.0.0.1:8080/v1', protocol: 'http' } },
        }),
        403: commonProblems[403],
        404: problem('There is no such write key.'),
        503: problem('Keys cannot be checked now.'),
      },
    },
  },
  '/sourceConfig': {
    get: {
      tags: ['clients'],
      ...ignoresOthers,
      summary: 'Report the source configuration with which RudderStack’s SDKs start',
      description: 'It names no destination. The key is in the Authorization header, or else in writeKey.',
      ...needs('write'),
      parameters: [inQuery('writeKey', 'The write key, if there is no Authorization header.')],
      responses: {
        200: anyJson({ source: { id: '1', name: 'millrace', enabled: true, config: {}, destinations: [] } }),
        ...commonProblems,
        503: problem('Keys cannot be checked now.'),
      },
    },
  },
}
