import type { QueryMeta, RunQueryResponse } from '@millrace/contracts'
import type { Request, Response } from 'express'
import { type AnswerCaching, applyCaching } from './answer-caching.js'
import { chooseEncoding } from './compression/choose-encoding.js'
import type { CompressedAnswers } from './compression/compressed-answers.js'

/** The current `meta`. A 304, and a cache that revalidates, replace headers but never the body. */
const META_HEADER = 'Millrace-Meta'

export interface QueryAnswer {
  readonly response: RunQueryResponse
  readonly caching: AnswerCaching
  /** Default: the middleware compresses the answer anew. */
  readonly compressed?: CompressedAnswers | undefined
}

/** Sends the answer to a query in an encoding that the client accepts, or 304 if the client already has it. */
export async function sendQueryAnswer(req: Request, res: Response, answer: QueryAnswer): Promise<void> {
  const { response, caching, compressed } = answer
  res.setHeader(META_HEADER, metaHeader(response.meta, new Date()))
  const isKnown = applyCaching(req, res, { policy: response.cache, caching })
  if (isKnown) {
    res.end()
    return
  }
  const { start, end } = toBody(response)
  const encoding = chooseEncoding(req, response.dataJson.length + response.summaryJson.length + end.length)
  if (compressed === undefined || encoding === undefined) {
    res.type('json').send(Buffer.concat([...start, end]))
    return
  }
  const body = await compressed.compress({ start, end, etag: response.cache?.etag }, encoding)
  res.setHeader('Content-Encoding', encoding)
  res.type('json').send(body)
}

/** The public form of the answer. `data` and `summary` are JSON already and are copied without parsing. */
function toBody({ dataJson, summaryJson, nextCursor, meta }: RunQueryResponse): { start: Buffer[]; end: Buffer } {
  const start = [Buffer.from('{"data":'), dataJson]
  if (summaryJson.length > 0) start.push(Buffer.from(',"summary":'), summaryJson)
  const cursor = nextCursor === '' ? 'null' : JSON.stringify(nextCursor)
  return { start, end: Buffer.from(`,"next_cursor":${cursor},"meta":${metaJson(meta)}}`) }
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
