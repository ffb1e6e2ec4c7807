import type { IncomingMessage } from 'node:http'
import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource, HttpSourceRoute, SourceRequest } from '../../intake/http-source.js'
import { decodeWhole, mediaType } from '../errors.js'
import { explainRejections } from '../explain-rejections.js'
import { readKeyOfScheme } from '../read-key.js'
import type { DatadogDefaults } from './datadog-record.js'
import { decodeDatadogJson, decodeDatadogText } from './decode.js'

const JSON_TYPE = 'application/json'

/** Datadog's intake of logs, https://docs.datadoghq.com/api/latest/logs/#send-logs */
export const datadogSource: HttpSource = {
  name: 'datadog',
  routes: [logsRoute('/api/v2/logs', 202), logsRoute('/v1/input', 200), logsRoute('/v1/input/{key}', 200)],
}

function logsRoute(path: string, status: number): HttpSourceRoute {
  return {
    path,
    encodings: CONTENT_ENCODINGS,
    readKey,
    decode: ({ headers, url, body }, sink) => {
      const defaults = readDefaults(url)
      // Agents and libraries that send JSON do not always say so.
      const isText = mediaType(headers['content-type']) !== JSON_TYPE && !looksLikeJson(body)
      decodeWhole(() => (isText ? decodeDatadogText(body, defaults, sink) : decodeDatadogJson(body, defaults, sink)))
    },
    // Clients drop what 400 refuses, and repeat nothing that 202 answered; what was not refused is kept in both cases.
    respond: (_request, { accepted, rejections }) =>
      rejections.length === 0
        ? json(status, {})
        : json(accepted > 0 ? status : 400, {
            errors: [{ status: '400', title: 'Bad Request', detail: explainRejections(rejections) }],
          }),
    refuse: (_request, { error, status: refused, detail }) =>
      json(refused, { errors: [{ status: String(refused), title: error.code, detail }] }),
  }
}

function json(status: number, value: unknown) {
  return { status, contentType: JSON_TYPE, body: JSON.stringify(value) }
}

function looksLikeJson(body: Buffer): boolean {
  const first = body.find((byte) => byte > 0x20)
  return first === 0x5b || first === 0x7b
}

function readDefaults(url: SourceRequest['url']): DatadogDefaults {
  const { searchParams } = new URL(url, 'http://localhost')
  const read = (name: string) => searchParams.get(name) ?? ''
  return { source: read('ddsource'), service: read('service'), hostname: read('hostname'), tags: read('ddtags') }
}

/** In the header DD-API-KEY; for the first version of the API also in the path or in the query. */
function readKey(req: IncomingMessage): string | undefined {
  const header = req.headers['dd-api-key']
  if (typeof header === 'string' && header !== '') return header
  const { pathname, searchParams } = new URL(req.url as string, 'http://localhost')
  const inPath = /^\/+v1\/+input\/+([^/]+)\/*$/.exec(pathname)?.[1]
  return inPath ?? searchParams.get('dd-api-key') ?? searchParams.get('api_key') ?? readKeyOfScheme(req)
}
