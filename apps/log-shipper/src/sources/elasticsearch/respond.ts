import { randomUUID } from 'node:crypto'
import type { SourceOutcome, SourceRefusal, SourceRequest, SourceResponse } from '../../intake/http-source.js'
import type { LogRejection } from '../../records/log-sink.js'
import type { BulkItem } from './decode.js'
import { filterPath } from './filter-path.js'

/** The version that clients see. Agents refuse to write to a server that is older than themselves, so it is a new one. */
const VERSION = '9.2.0'
const SHARDS = { total: 1, successful: 1, failed: 0 }

type Described = Pick<SourceRequest, 'headers' | 'url'>

/** A response with the headers that the clients check. */
export function respondJson({ headers, url }: Described, status: number, value: unknown): SourceResponse {
  const accept = headers.accept ?? ''
  const compatible = /application\/vnd\.elasticsearch\+json;\s*compatible-with=\d+/.exec(accept)
  const { searchParams } = new URL(url, 'http://localhost')
  const filter = searchParams.get('filter_path')
  return {
    status,
    contentType: compatible?.[0] ?? 'application/json; charset=UTF-8',
    // Clients since 7.14 refuse to work with a server that does not send it.
    headers: { 'X-Elastic-Product': 'Elasticsearch' },
    body: JSON.stringify(filter === null ? value : filterPath(value, filter)),
  }
}

/** The response to a bulk request: one status for each item, in the order of the request. */
export function respondBulk(
  request: SourceRequest,
  { rejections }: SourceOutcome,
  { items, now }: { readonly items: readonly BulkItem[]; readonly now: number },
): SourceResponse {
  const refused = new Map(rejections.map((rejection) => [rejection.index, rejection]))
  return respondJson(request, 200, {
    errors: refused.size > 0,
    took: Math.max(0, now - request.receivedAtMs),
    items: items.map((item, index) => ({ [item.action]: describe(item, refused.get(index)) })),
  })
}

function describe({ index, id }: BulkItem, rejection: LogRejection | undefined): unknown {
  const target = { _index: index, _id: id ?? newId() }
  if (rejection === undefined)
    return { ...target, _version: 1, result: 'created', _shards: SHARDS, _seq_no: 0, _primary_term: 1, status: 201 }
  const type = rejection.code === 'unsupported' ? 'illegal_argument_exception' : 'document_parsing_exception'
  return { ...target, status: 400, error: { type, reason: rejection.reason } }
}

/** 20 characters, as Elasticsearch makes ids. */
function newId(): string {
  return Buffer.from(randomUUID().replaceAll('-', '').slice(0, 30), 'hex').toString('base64url')
}

/** Refusals of whole requests. Clients repeat 429, 502, 503 and 504. */
export function respondRefused(request: Described, { error, status, detail }: SourceRefusal): SourceResponse {
  const type = TYPES[status] ?? (status >= 500 ? 'unavailable_exception' : 'illegal_argument_exception')
  const cause = { type, reason: `${error.code}: ${detail}` }
  return respondJson(request, status, { error: { root_cause: [cause], ...cause }, status })
}

const TYPES: Readonly<Record<number, string>> = {
  401: 'security_exception',
  403: 'security_exception',
  413: 'content_too_long_exception',
  429: 'es_rejected_execution_exception',
}

/** What clients and agents read from a server before they write to it. */
export const SERVER_INFO = {
  name: 'millrace',
  cluster_name: 'millrace',
  cluster_uuid: 'millrace',
  version: {
    number: VERSION,
    build_flavor: 'default',
    build_type: 'tar',
    build_hash: '0',
    build_date: '1970-01-01T00:00:00.000Z',
    build_snapshot: false,
    lucene_version: '10.3.0',
    minimum_wire_compatibility_version: '8.19.0',
    minimum_index_compatibility_version: '8.0.0',
  },
  tagline: 'You Know, for Search',
}

export const LICENSE = {
  license: { status: 'active', uid: 'millrace', type: 'basic', mode: 'basic', issue_date: '1970-01-01T00:00:00.000Z' },
}
