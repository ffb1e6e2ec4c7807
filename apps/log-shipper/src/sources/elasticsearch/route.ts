import { CONTENT_ENCODINGS } from '@millrace/http-intake'
import type { HttpSource, HttpSourceRoute } from '../../intake/http-source.js'
import { decodeWhole } from '../errors.js'
import { readKeyOfScheme } from '../read-key.js'
import { type BulkItem, decodeBulk } from './decode.js'
import { LICENSE, respondBulk, respondJson, respondRefused, SERVER_INFO } from './respond.js'

/** Clients can be given the address of the server, or one with this path. */
const PREFIXES = ['', '/elasticsearch']

/** What clients and agents ask for or set up before they write. Nothing of it changes how lines are stored. */
const PROBES: readonly (readonly [path: string, response: unknown])[] = [
  ['/', SERVER_INFO],
  ['/_license', LICENSE],
  ['/_xpack', { ...LICENSE, features: {} }],
  ['/_nodes/http', { nodes: {} }],
  ['/_cluster/health', { cluster_name: 'millrace', status: 'green' }],
]
const SETUPS = [
  '/_index_template/{name}',
  '/_template/{name}',
  '/_component_template/{name}',
  '/_ilm/policy/{name}',
  '/_ingest/pipeline/{name}',
  '/_data_stream/{name}',
]

/** The part of Elasticsearch's API that log agents use, https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk */
export const elasticsearchSource: HttpSource = {
  name: 'elasticsearch',
  routes: PREFIXES.flatMap((prefix) => [
    bulkRoute(`${prefix}/_bulk`, 'POST'),
    bulkRoute(`${prefix}/_bulk`, 'PUT'),
    bulkRoute(`${prefix}/{index}/_bulk`, 'POST'),
    bulkRoute(`${prefix}/{index}/_bulk`, 'PUT'),
    ...PROBES.map(([path, response]) => fixedRoute(`${prefix}${path}`, 'GET', response)),
    ...SETUPS.flatMap((path) => [
      fixedRoute(`${prefix}${path}`, 'GET', {}),
      fixedRoute(`${prefix}${path}`, 'PUT', { acknowledged: true }),
    ]),
  ]),
}

function bulkRoute(path: string, method: 'POST' | 'PUT'): HttpSourceRoute {
  return {
    path,
    method,
    encodings: CONTENT_ENCODINGS,
    readKey: readKeyOfScheme,
    decode: ({ url, body }, sink) => {
      let items: readonly BulkItem[] = []
      decodeWhole(() => {
        items = decodeBulk(body, indexOf(url), sink)
      })
      return items
    },
    respond: (request, outcome, items) =>
      respondBulk(request, outcome, { items: items as BulkItem[], now: Date.now() }),
    refuse: respondRefused,
  }
}

/** The index before `/_bulk` in a path; '' when there is none. */
function indexOf(url: string): string {
  const name = /\/([^/?]+)\/_bulk/.exec(url)?.[1] ?? ''
  if (name === 'elasticsearch') return ''
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

function fixedRoute(path: string, method: 'GET' | 'PUT', response: unknown): HttpSourceRoute {
  return {
    path,
    method,
    encodings: CONTENT_ENCODINGS,
    readKey: readKeyOfScheme,
    decode: () => undefined,
    respond: (request) => respondJson(request, 200, response),
    refuse: respondRefused,
  }
}
