import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  authErrors,
  type KeyVerifier,
  type LimitDecision,
  type Principal,
  type RateLimiter,
  requireScope,
} from '@millrace/auth'
import { encodeReceipt, isMillraceError } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import { readRequestIds } from '@millrace/service'
import type { AppendedFrame } from '@millrace/streams'
import { parseTraceparent, type Tracer } from '@millrace/telemetry'
import { errors } from '../errors.js'
import { whenAppended } from '../events/event-appender.js'
import type { EventDesk, Verdict, Wire } from '../events/event-desk.js'
import type { ProducedCounts } from '../ledger/produced-counts.js'
import type { IngestMetrics } from '../metrics.js'
import { decompress, isKnownEncoding, tooLarge } from './decompress.js'
import type { EventRoute } from './event-route.js'
import type { ResponseWriter } from './response-writer.js'
import { describeVerdict, type Outcome } from './verdict-text.js'

export interface ExchangeDeps {
  desk: EventDesk
  /** UUID of the producer, for receipts. */
  producerId: string
  verifier: KeyVerifier
  limiter: RateLimiter
  counts: ProducedCounts
  /** What became of a receipt's records, within the time that a request may wait for it; undefined when nobody can tell. */
  awaitOutcome: (receipt: string, principal: Principal) => Promise<Outcome | undefined>
  responses: ResponseWriter
  metrics: IngestMetrics
  tracer: Tracer
  logger: Logger
}

/** A body that is refused for its size is still read up to here, so that the client gets to see the answer. */
const DISCARD_BYTES_MAX = 16 * 1024 * 1024

interface EventRequest extends IncomingMessage {
  exchange?: Exchange
}

/** One request with events, from its headers to its answer. */
export interface Exchange {
  readonly req: EventRequest
  readonly res: ServerResponse
  readonly route: EventRoute
  readonly deps: ExchangeDeps
  readonly startedAt: number
  /** By the key in the header, or else the one in the body; a promise while it is looked up. */
  principal: Principal | Promise<Principal> | undefined
  /** Whether the tenant's limit lets the events in; a promise while it is asked. */
  decision: LimitDecision | Promise<LimitDecision> | undefined
  readonly chunks: Buffer[]
  bytes: number
  /** Of the request's span, when it is sampled. */
  traceparent: string | undefined
}

/** Checks what the headers tell and begins to read the body. */
export function startExchange(req: EventRequest, res: ServerResponse, route: EventRoute, deps: ExchangeDeps): void {
  const startedAt = performance.now()
  const x: Exchange = {
    req,
    res,
    route,
    deps,
    startedAt,
    principal: undefined,
    decision: undefined,
    chunks: [],
    bytes: 0,
    traceparent: undefined,
  }
  const { headers } = req
  try {
    if (headers.authorization !== undefined) x.principal = deps.verifier.verify(headers.authorization)
  } catch (error) {
    refuse(x, error)
    return
  }
  if (x.principal instanceof Promise) x.principal.catch(() => undefined)
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity' && !isKnownEncoding(encoding)) {
    refuse(x, errors.UNSUPPORTED_ENCODING())
    return
  }
  if (Number(headers['content-length']) > DISCARD_BYTES_MAX) {
    refuse(x, tooLarge(route.bodyBytesMax), true)
    return
  }
  req.exchange = x
  if (deps.tracer.isOn) trace(x)
  req.on('data', onData)
  req.on('end', onEnd)
}

/** A span from the headers to the end of the answer. */
function trace(x: Exchange): void {
  const { req, res, route, deps } = x
  const parent = readRequestIds(req.headers).traceparent
  void deps.tracer.withSpan(
    'HTTP POST',
    { 'http.request.method': 'POST', 'http.route': route.path },
    async (span) => {
      if (parseTraceparent(span.traceparent)?.isSampled) x.traceparent = span.traceparent
      await new Promise((resolve) => res.once('close', resolve))
      span.setAttributes({ 'http.response.status_code': res.statusCode })
      if (res.statusCode >= 500) span.recordError({ code: `HTTP_${res.statusCode}` })
    },
    { kind: 'server', parent },
  )
}

function onData(this: EventRequest, chunk: Buffer): void {
  const x = this.exchange as Exchange
  x.bytes += chunk.length
  if (x.bytes <= x.route.bodyBytesMax) x.chunks.push(chunk)
  else {
    x.chunks.length = 0
    if (x.bytes > DISCARD_BYTES_MAX) refuse(x, tooLarge(x.route.bodyBytesMax), true)
  }
}

function onEnd(this: EventRequest): void {
  const x = this.exchange as Exchange
  if (x.bytes > x.route.bodyBytesMax) {
    refuse(x, tooLarge(x.route.bodyBytesMax))
    return
  }
  const encoding = this.headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') {
    handleBody(x)
    return
  }
  void unpackAndHandle(x, encoding)
}

async function unpackAndHandle(x: Exchange, encoding: string): Promise<void> {
  try {
    const plain = decompress(
      x.chunks.length === 1 ? (x.chunks[0] as Buffer) : Buffer.concat(x.chunks),
      encoding,
      x.route.bodyBytesMax,
    )
    x.chunks.length = 0
    const body = plain instanceof Promise ? await plain : plain
    x.chunks.push(body)
    x.bytes = body.length
    handleBody(x)
  } catch (error) {
    refuse(x, error)
  }
}

/**
 * Runs within one tick from the first look at the body to the last record in its batch. Where it has to wait it starts over afterwards:
 * the desk serves other requests meanwhile.
 */
function handleBody(x: Exchange): void {
  try {
    const { desk, verifier, limiter } = x.deps
    const events = desk.read(x.chunks, x.bytes, wireOf(x))
    x.principal ??= verifyBodyKey(verifier, desk.writeKey)
    if (x.principal instanceof Promise) {
      handleLater(x, x.principal, (principal) => (x.principal = principal))
      return
    }
    requireScope(x.principal, 'write')
    x.decision ??= limiter.take(x.principal.tenantId, events, x.principal.limits)
    if (x.decision instanceof Promise) {
      handleLater(x, x.decision, (decision) => (x.decision = decision))
      return
    }
    if (!x.decision.ok) throw authErrors.RATE_LIMITED({ retryAfterSeconds: x.decision.retryAfterMs / 1000 })
    takeEvents(x, x.principal)
  } catch (error) {
    refuse(x, error)
  }
}

function verifyBodyKey(verifier: KeyVerifier, key: string | undefined): Principal | Promise<Principal> {
  if (key === undefined) throw authErrors.KEY_MISSING()
  return verifier.verifyKey(key)
}

function handleLater<T>(x: Exchange, pending: Promise<T>, keep: (value: T) => void): void {
  pending.then(
    (value) => {
      keep(value)
      handleBody(x)
    },
    (error: unknown) => refuse(x, error),
  )
}

function takeEvents(x: Exchange, principal: Principal): void {
  const verdict = x.deps.desk.take(principal.tenantId, { wantsMessageIds: x.route.isNative })
  x.chunks.length = 0
  if (x.traceparent !== undefined) for (const { batch } of verdict.segments) batch.addTrace(x.traceparent)
  const [only] = verdict.segments
  if (only !== undefined && verdict.segments.length === 1) {
    only.batch.appended.then(
      (frame) => acknowledge(x, principal, verdict, [frame]),
      (error: unknown) => refuse(x, error),
    )
    return
  }
  whenAppended(verdict.segments).then(
    (frames) => acknowledge(x, principal, verdict, frames),
    (error: unknown) => refuse(x, error),
  )
}

function acknowledge(x: Exchange, principal: Principal, verdict: Verdict, frames: readonly AppendedFrame[]): void {
  const { deps, req } = x
  countProduced(deps.counts, principal.tenantId, verdict, frames)
  const receipt = encodeReceipt({
    tenantId: principal.tenantId,
    producer: deps.producerId,
    frames: frames.map(({ partition, sequence }, i) => {
      const { first = 0, records = 0 } = verdict.segments[i] ?? {}
      return { partition, sequence, first, records }
    }),
  })
  deps.metrics.judged(verdict.accepted, verdict.rejected)
  if (!x.route.isNative || !wantsStored(req)) {
    answer(x, describeVerdict(verdict, receipt))
    return
  }
  const outcome = deps.tracer.extract(x.traceparent, () => deps.awaitOutcome(receipt, principal))
  outcome.then(
    (outcome) => answer(x, describeVerdict(verdict, receipt, outcome ?? 'unknown')),
    (error: unknown) => refuse(x, error),
  )
}

function answer(x: Exchange, text: string): void {
  x.deps.responses.json(x.req, x.res, text)
  x.deps.metrics.answered(x.route.path, 200, secondsOf(x))
}

function secondsOf(x: Exchange): number {
  return (performance.now() - x.startedAt) / 1000
}

/** The refused events travel on the first frame (EventAppender.finish), so they are spooled when that one is. */
function countProduced(
  counts: ProducedCounts,
  tenantId: number,
  verdict: Verdict,
  frames: readonly AppendedFrame[],
): void {
  const rejected = verdict.rejected.length
  let spooled = 0
  frames.forEach((frame, i) => {
    if (frame.isSpooled) spooled += (verdict.segments[i]?.records ?? 0) + (i === 0 ? rejected : 0)
  })
  counts.add(tenantId, { accepted: verdict.accepted + rejected, rejected, spooled })
}

function refuse(x: Exchange, error: unknown, isLast = false): void {
  if (!isMillraceError(error) || error.kind === 'internal')
    x.deps.logger.error('a request with events failed', { error, path: x.route.path })
  x.chunks.length = 0
  const status = x.deps.responses.problem(x.req, x.res, error, { isLast })
  if (status > 0) x.deps.metrics.answered(x.route.path, status, secondsOf(x))
}

function wireOf(x: Exchange): Wire {
  const { wire } = x.route
  if (wire.kind !== 'any') return wire
  return /ndjson|jsonl|json-lines|x-json-stream/i.test(x.req.headers['content-type'] ?? '')
    ? { kind: 'any', isLines: true }
    : wire
}

function wantsStored(req: IncomingMessage): boolean {
  const url = req.url as string
  const query = url.indexOf('?')
  return query >= 0 && new URLSearchParams(url.slice(query + 1)).get('wait') === 'stored'
}
