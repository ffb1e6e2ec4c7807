import type { IncomingMessage, ServerResponse } from 'node:http'
import { encodeReceipt, isMillraceError } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { AppendedFrame } from '@millrace/streams'
import { errors } from '../errors.js'
import { whenAppended } from '../events/event-appender.js'
import type { EventDesk, Verdict, Wire } from '../events/event-desk.js'
import type { Caller, CheckKey, TakeTokens } from '../keys/caller.js'
import { readKey } from '../keys/read-key.js'
import type { ProducedCounts } from '../ledger/produced-counts.js'
import type { IngestMetrics } from '../metrics.js'
import type { Answers } from './answer.js'
import { decompress, isKnownEncoding, tooLarge } from './decompress.js'
import type { EventRoute } from './event-routes.js'
import { describeVerdict, type Outcome } from './verdict-text.js'

export interface ExchangeDeps {
  desk: EventDesk
  /** UUID of the producer, for receipts. */
  producerId: string
  checkKey: CheckKey
  takeTokens: TakeTokens
  counts: ProducedCounts
  /** What became of a receipt's records, within the time that a request may wait for it; undefined when nobody can tell. */
  awaitOutcome: (receipt: string, caller: Caller) => Promise<Outcome | undefined>
  answers: Answers
  metrics: IngestMetrics
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
  /** From the header; the body may name one as well. */
  caller: Caller | Promise<Caller | undefined> | undefined
  readonly chunks: Buffer[]
  bytes: number
}

/** Checks what the headers tell and begins to read the body. */
export function startExchange(req: EventRequest, res: ServerResponse, route: EventRoute, deps: ExchangeDeps): void {
  const x: Exchange = { req, res, route, deps, startedAt: performance.now(), caller: undefined, chunks: [], bytes: 0 }
  const { headers } = req
  const key = readKey(headers.authorization)
  if (key !== undefined) {
    const caller = deps.checkKey(key)
    if (caller === undefined) return refuse(x, errors.KEY_UNKNOWN())
    if (caller instanceof Promise) caller.catch(() => undefined)
    x.caller = caller
  }
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity' && !isKnownEncoding(encoding)) return refuse(x, errors.UNSUPPORTED_ENCODING())
  if (Number(headers['content-length']) > DISCARD_BYTES_MAX) return refuse(x, tooLarge(route.bodyBytesMax), true)
  req.exchange = x
  req.on('data', onData)
  req.on('end', onEnd)
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
  if (x.bytes > x.route.bodyBytesMax) return refuse(x, tooLarge(x.route.bodyBytesMax))
  const encoding = this.headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return handleBody(x)
  void unpackAndHandle(x, encoding)
}

async function unpackAndHandle(x: Exchange, encoding: string): Promise<void> {
  try {
    const plain = decompress(x.chunks.length === 1 ? (x.chunks[0] as Buffer) : Buffer.concat(x.chunks), encoding, x.route.bodyBytesMax)
    x.chunks.length = 0
    const body = plain instanceof Promise ? await plain : plain
    x.chunks.push(body)
    x.bytes = body.length
    handleBody(x)
  } catch (error) {
    refuse(x, error)
  }
}

/** Runs within one tick from the first look at the body to the last record in its batch, unless the key has to be looked up first. */
function handleBody(x: Exchange): void {
  try {
    const { desk } = x.deps
    const events = desk.read(x.chunks, x.bytes, wireOf(x))
    if (x.caller === undefined) {
      const key = desk.writeKey
      if (key === undefined) throw errors.WRITE_KEY_REQUIRED()
      const caller = x.deps.checkKey(key)
      if (caller === undefined) throw errors.KEY_UNKNOWN()
      x.caller = caller
    }
    if (x.caller instanceof Promise) void handleWhenKnown(x, x.caller)
    else takeEvents(x, x.caller, events)
  } catch (error) {
    refuse(x, error)
  }
}

async function handleWhenKnown(x: Exchange, promise: Promise<Caller | undefined>): Promise<void> {
  try {
    const caller = await promise
    if (caller === undefined) throw errors.KEY_UNKNOWN()
    x.caller = caller
    // Other requests went through the desk meanwhile, so the body is read again.
    takeEvents(x, caller, x.deps.desk.read(x.chunks, x.bytes, wireOf(x)))
  } catch (error) {
    refuse(x, error)
  }
}

function takeEvents(x: Exchange, caller: Caller, events: number): void {
  const { desk, takeTokens } = x.deps
  if (!caller.scopes.has('write')) throw errors.SCOPE_MISSING({ message: 'the key may not write' })
  const waitSeconds = takeTokens(caller.tenantId, events)
  if (waitSeconds > 0) throw errors.RATE_LIMITED({ retryAfterSeconds: waitSeconds })
  const verdict = desk.take(caller.tenantId, { wantsMessageIds: x.route.isNative })
  x.chunks.length = 0
  const [only] = verdict.segments
  if (only !== undefined && verdict.segments.length === 1) {
    only.batch.appended.then(
      (frame) => acknowledge(x, caller, verdict, [frame]),
      (error: unknown) => refuse(x, error),
    )
    return
  }
  whenAppended(verdict.segments).then(
    (frames) => acknowledge(x, caller, verdict, frames),
    (error: unknown) => refuse(x, error),
  )
}

function acknowledge(x: Exchange, caller: Caller, verdict: Verdict, frames: readonly AppendedFrame[]): void {
  const { deps, req, res } = x
  deps.counts.add(caller.tenantId, verdict.accepted + verdict.rejected.length, verdict.rejected.length)
  const receipt = encodeReceipt({
    tenantId: caller.tenantId,
    producer: deps.producerId,
    frames: frames.map(({ partition, sequence }, i) => {
      const { first = 0, records = 0 } = verdict.segments[i] ?? {}
      return { partition, sequence, first, records }
    }),
  })
  deps.metrics.accepted(x.route.path, verdict.accepted, (performance.now() - x.startedAt) / 1000)
  if (verdict.rejected.length > 0) deps.metrics.rejected(verdict.rejected)
  if (!x.route.isNative || !wantsStored(req)) return deps.answers.json(req, res, describeVerdict(verdict, receipt))
  deps.awaitOutcome(receipt, caller).then(
    (outcome) => deps.answers.json(req, res, describeVerdict(verdict, receipt, outcome ?? 'unknown')),
    (error: unknown) => refuse(x, error),
  )
}

function refuse(x: Exchange, error: unknown, isLast = false): void {
  if (!isMillraceError(error) || error.kind === 'internal') x.deps.logger.error('a request with events failed', { error, path: x.route.path })
  x.chunks.length = 0
  const status = x.deps.answers.problem(x.req, x.res, error, { isLast })
  if (status > 0) x.deps.metrics.refused(x.route.path, status)
}

function wireOf(x: Exchange): Wire {
  const { wire } = x.route
  if (wire.kind !== 'any') return wire
  return /ndjson|jsonl|json-lines|x-json-stream/i.test(x.req.headers['content-type'] ?? '') ? { kind: 'any', isLines: true } : wire
}

function wantsStored(req: IncomingMessage): boolean {
  const url = req.url as string
  const query = url.indexOf('?')
  return query >= 0 && new URLSearchParams(url.slice(query + 1)).get('wait') === 'stored'
}
