import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource, HttpSourceRoute } from '../../intake/http-source.js'
import { decodeWhole, mediaType, sourceErrors } from '../errors.js'
import { explainRejections } from '../explain-rejections.js'
import { readKeyOfScheme } from '../read-key.js'
import { decompressSnappy } from '../snappy.js'
import { decodeLoki } from './decode.js'
import { decodeLokiJson } from './decode-json.js'

/** Loki's push API, https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs */
export const lokiSource: HttpSource = {
  name: 'loki',
  routes: [pushRoute('/loki/api/v1/push'), pushRoute('/api/prom/push')],
}

function pushRoute(path: string): HttpSourceRoute {
  return {
    path,
    encodings: CONTENT_ENCODINGS,
    readKey: readKeyOfScheme,
    decode: ({ headers, body, bodyBytesMax }, sink) => {
      const type = mediaType(headers['content-type'])
      if (type === 'application/json') decodeWhole(() => decodeLokiJson(body, sink))
      else if (type === 'application/x-protobuf' || type === '')
        decodeWhole(() => decodeLoki(decompressSnappy(body, bodyBytesMax), sink))
      else
        throw sourceErrors.UNSUPPORTED_CONTENT_TYPE({
          message: 'the content type must be application/json, or application/x-protobuf with a body in Snappy',
        })
    },
    // Clients do not repeat a request after 400; what was not refused is kept, as Loki does it.
    respond: (_request, { rejections }) =>
      rejections.length === 0
        ? { status: 204, body: '' }
        : { status: 400, contentType: 'text/plain; charset=utf-8', body: explainRejections(rejections) },
    refuse: (_request, { error, status, detail }) => ({
      status,
      contentType: 'text/plain; charset=utf-8',
      body: `${error.code}: ${detail}`,
    }),
  }
}
