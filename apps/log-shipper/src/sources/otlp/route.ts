import type { IncomingHttpHeaders } from 'node:http'
import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource } from '../../intake/http-source.js'
import { decodeWhole, mediaType, sourceErrors } from '../errors.js'
import { readKeyOfScheme } from '../read-key.js'
import { decodeOtlp } from './decode.js'
import { decodeOtlpJson } from './decode-json.js'
import { JSON_TYPE, type OtlpForm, PROTOBUF, respondRefused, respondTaken } from './respond.js'
import { scanOtlpJson } from './scan-json.js'

/** OTLP over HTTP, https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export const otlpSource: HttpSource = {
  name: 'otlp',
  routes: [
    {
      path: '/v1/logs',
      encodings: CONTENT_ENCODINGS,
      readKey: readKeyOfScheme,
      decode: ({ headers, body }, sink) => {
        const form = readForm(headers)
        if (form === undefined) {
          const message = `the content type must be ${PROTOBUF} or ${JSON_TYPE}`
          throw sourceErrors.UNSUPPORTED_CONTENT_TYPE({ message })
        }
        decodeWhole(() => {
          if (form === PROTOBUF) decodeOtlp(body, sink)
          else if (!scanOtlpJson(body, sink)) decodeOtlpJson(body, sink)
        })
      },
      respond: ({ headers }, outcome) => respondTaken(readForm(headers) ?? JSON_TYPE, outcome),
      refuse: ({ headers }, refusal) => respondRefused(readForm(headers) ?? JSON_TYPE, refusal),
    },
  ],
}

function readForm(headers: IncomingHttpHeaders): OtlpForm | undefined {
  const type = mediaType(headers['content-type'])
  if (type === JSON_TYPE) return JSON_TYPE
  return type === PROTOBUF || type === 'application/protobuf' ? PROTOBUF : undefined
}
