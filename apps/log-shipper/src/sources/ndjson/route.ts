import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource } from '../../intake/http-source.js'
import { readKeyOfScheme } from '../read-key.js'
import { decodeNdjson } from './decode.js'

export const ndjsonSource: HttpSource = {
  name: 'ndjson',
  routes: [
    {
      path: '/v1/logs/ndjson',
      encodings: CONTENT_ENCODINGS,
      readKey: readKeyOfScheme,
      decode: ({ body }, sink) => decodeNdjson(body, sink),
      respond: (_request, { accepted, rejections }) => ({
        status: 200,
        contentType: 'application/json; charset=utf-8',
        body: JSON.stringify({ accepted, rejected: rejections }),
      }),
    },
  ],
}
