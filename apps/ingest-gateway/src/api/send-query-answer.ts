import type { QueryMeta, RunQueryResponse } from '@millrace/contracts'
import type { Request, Response } from 'express'
import { type AnswerCaching, applyCaching } from './answer-caching.js'

/** The current `meta`. A 304, and a cache that revalidates, replace headers but never the body. */
const META_HEADER = 'Millrace-Meta'

/** Sends the answer to a query, or 304 if the client already has it. */
export function sendQueryAnswer(
  req: Request,
  res: Response,
  { response, caching }: { response: RunQueryResponse; caching: AnswerCaching },
): void {
  res.setHeader(META_HEADER, metaHeader(response.meta, new Date()))
  const isKnown = applyCaching(req, res, { policy: response.cache, caching })
  if (isKnown) res.end()
  else res.type('json').send(toBody(response))
}

/** The public form of the answer. `data` and `summary` are JSON already and are copied without parsing. */
function toBody({ dataJson, summaryJson, nextCursor, meta }: RunQueryResponse): Buffer {
  const parts = [Buffer.from('{"data":'), dataJson]
  if (summaryJson.length > 0) parts.push(Buffer.from(',"summary":'), summaryJson)
  const cursor = nextCursor === '' ? 'null' : JSON.stringify(nextCursor)
  parts.push(Buffer.from(`,"next_cursor":${cursor},"meta":${metaJson(meta)}}`))
  return Buffer.concat(parts)
}

function metaJson(meta: QueryMeta | undefined): string {
  const text = JSON.stringify({
    source: meta?.source ?? 'raw',
    age_ms: meta?.ageMs ?? 0,
    watermark: meta?.watermark ?? null,
    took_ms: meta?.tookMs ?? 0,
    ...(meta?.isStale === true && { is_stale: true }),
    ...(meta?.isBehind === true && { is_behind: true }),
    ...(meta !== undefined && meta.waitedMs > 0 && { waited_ms: meta.waitedMs }),
  })
  return meta === undefined || meta.planJson === '' ? text : `${text.slice(0, -1)},"plan":${meta.planJson}}`
}

/**
 * `meta` as a dictionary of RFC 9651, without `watermark` if it is unknown. `sent_at` is when the gateway sent the answer: a proxy may replace
 * `Date`, and the difference between the two is the time that the answer spent in its cache.
 */
function metaHeader(meta: QueryMeta | undefined, now: Date): string {
  const parts = [`source=${meta?.source ?? 'raw'}`, `age_ms=${Math.round(meta?.ageMs ?? 0)}`]
  if (meta?.watermark !== undefined) parts.push(`watermark="${meta.watermark.toISOString()}"`)
  parts.push(`took_ms=${(meta?.tookMs ?? 0).toFixed(1)}`, `sent_at="${now.toISOString()}"`)
  return parts.join(', ')
}
