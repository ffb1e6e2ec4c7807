import { type LimitDecision, type Principal, type RateLimiter, rateLimited } from '@millrace/auth'
import { encodeReceipt } from '@millrace/contracts'
import type { IntakeRequest } from '@millrace/http-intake'
import type { Produced, ProducedCounts } from '@millrace/streams'
import type { Tracer } from '@millrace/telemetry'
import { checkQuery } from '../api/check-inputs.js'
import type { Acceptance, EventAcceptor } from '../events/event-acceptor.js'
import { type AppendedRecords, whenAppended } from '../events/event-appender.js'
import type { EventBody } from '../events/event-body.js'
import type { ParsedRequest, RequestParser } from '../events/request-parser.js'
import type { IngestMetrics } from '../metrics.js'
import { EventRejections } from '../rejections/note-rejections.js'
import type { RejectedEvent } from '../rejections/rejected-event.js'
import type { RejectionRecorder } from '../rejections/rejection-recorder.js'
import type { Outcome } from '../wires/response-form.js'
import type { Wire, WireRoute } from '../wires/wire.js'
import type { createReadRequestClient } from './request-client.js'

export interface AcceptEventsDeps {
  readonly parser: RequestParser
  readonly acceptor: EventAcceptor
  /** UUID of the producer, for receipts. */
  readonly producerId: string
  readonly limiter: Pick<RateLimiter, 'take'>
  readonly counts: ProducedCounts
  /** Waits until the records of a receipt are stored; undefined when that cannot be known in time. */
  readonly awaitOutcome: (receipt: string, principal: Principal) => Promise<Outcome | undefined>
  readonly metrics: IngestMetrics
  readonly rejections: Pick<RejectionRecorder, 'sample' | 'keep'>
  /** Reads rejected events in the parser's buffer. */
  readonly rejectedEvent: RejectedEvent
  /** Reads what a request says about the device of the user. */
  readonly readRequestClient: ReturnType<typeof createReadRequestClient>
  readonly tracer: Tracer
}

/** One request with events on its way through the steps below. */
interface EventRequest {
  readonly request: IntakeRequest
  readonly body: EventBody
  readonly wire: Wire
  readonly deps: AcceptEventsDeps
}

/**
 * Handles complete requests of one path: parses the body, finds the caller, takes tokens from the tenant's rate limit, appends the events to
 * the stream, and responds once every frame is held. Without a wait the steps up to the append run within one tick.
 */
export function createAcceptEvents(
  { wire, route }: { wire: Wire; route: WireRoute },
  deps: AcceptEventsDeps,
): (request: IntakeRequest) => void | Promise<void> {
  return function acceptEvents(request) {
    if (wire.query !== 'any') checkQuery(request.url, wire.query)
    const body = route.toBody(request)
    const parsed = deps.parser.parse(body, wire.format)
    const x: EventRequest = { request, body, wire, deps }
    const principal = request.principal ?? request.authenticate(parsed.writeKey)
    return principal instanceof Promise
      ? principal.then((known) => limit(x, parsed, known))
      : limit(x, parsed, principal)
  }
}

function limit(x: EventRequest, parsed: ParsedRequest, principal: Principal): void | Promise<void> {
  const decision = x.deps.limiter.take(principal.tenantId, parsed.count, principal.limits)
  if (decision instanceof Promise) return decision.then((made) => append(x, parsed, { principal, decision: made }))
  append(x, parsed, { principal, decision })
}

function append(
  x: EventRequest,
  parsed: ParsedRequest,
  { principal, decision }: { principal: Principal; decision: LimitDecision },
): void {
  if (!decision.ok) throw rateLimited(decision)
  const { request, body, wire, deps } = x
  // While this request waited, another one may have taken the parser's buffer.
  const current = deps.parser.isCurrent(parsed) ? parsed : deps.parser.parse(body, wire.format)
  const rejections = new EventRejections(deps.rejections, { request, wire: wire.name, principal })
  const acceptance = deps.acceptor.accept(current, principal.tenantId, {
    wantsMessageIds: wire.response.needsMessageIds,
    client: deps.readRequestClient(request.req, request.req.method === 'GET'),
    onRejected(rejection, row, { format, pathType, envelope }) {
      rejections.note(rejection, deps.rejectedEvent.at({ row, format, pathType, hasEnvelope: envelope >= 0 }))
    },
  })
  request.releaseBody()
  const { frames } = acceptance
  if (request.traceparent !== undefined) for (const { batch } of frames) batch.addTrace(request.traceparent)
  whenAppended(frames)
    .then((appended) => acknowledge(x, { principal, acceptance, rejections, appended }))
    .catch((error: unknown) => request.refuse(error))
}

interface AppendedRequest {
  readonly principal: Principal
  readonly acceptance: Acceptance
  readonly rejections: EventRejections
  readonly appended: readonly AppendedRecords[]
}

function acknowledge(
  { request, wire, deps }: EventRequest,
  { principal, acceptance, rejections, appended }: AppendedRequest,
): void {
  rejections.keep()
  deps.counts.add(principal.tenantId, toProduced(acceptance, appended))
  deps.metrics.validated(acceptance.accepted, acceptance.rejected)
  const receipt = encodeReceipt({
    tenantId: principal.tenantId,
    producer: deps.producerId,
    frames: appended,
  })
  if (!wire.response.wantsOutcome(request.url)) {
    request.respond(wire.response.write({ acceptance, receipt }))
    return
  }
  deps.tracer
    .extract(request.traceparent, () => deps.awaitOutcome(receipt, principal))
    .then((outcome) => request.respond(wire.response.write({ acceptance, receipt, outcome: outcome ?? 'unknown' })))
    .catch((error: unknown) => request.refuse(error))
}

/** Rejected events are counted on the first frame (EventAppender.finish), so they count as spooled when that frame is. */
function toProduced({ accepted, rejected }: Acceptance, appended: readonly AppendedRecords[]): Produced {
  const spooled = appended.reduce((sum, { isSpooled, records }) => sum + (isSpooled ? records : 0), 0)
  const isFirstSpooled = appended[0]?.isSpooled === true
  return {
    accepted: accepted + rejected.length,
    rejected: rejected.length,
    spooled: spooled + (isFirstSpooled ? rejected.length : 0),
  }
}
