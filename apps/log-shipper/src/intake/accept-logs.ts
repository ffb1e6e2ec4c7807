import { type Principal, type RateLimiter, rateLimited } from '@millrace/auth'
import type { Masker } from '@millrace/masking'
import type { ProducedCounts, Producer } from '@millrace/streams'
import { appendRecords } from '../append/append-records.js'
import type { LogFrameBuilder } from '../append/log-frame.js'
import { RecordCollector } from '../batch/record-collector.js'
import type { ShipperMetrics } from '../metrics.js'
import type { LogSink } from '../records/log-sink.js'
import type { CurrentRules } from '../transforms/current-rules.js'
import { TransformingSink } from '../transforms/transforming-sink.js'
import type { SourceOutcome } from './http-source.js'

export interface AcceptLogsDeps {
  readonly producer: Pick<Producer<LogFrameBuilder>, 'open' | 'check' | 'partitions'>
  readonly limiter: Pick<RateLimiter, 'take'>
  readonly masker: Masker
  /** The rules of each tenant. */
  readonly rules: Pick<CurrentRules, 'of'>
  readonly counts: ProducedCounts
  readonly metrics: ShipperMetrics
  /** ms since 1970. */
  readonly now: () => number
}

/** Whose lines they are, and by which wire they came. */
export interface LogRequest {
  readonly principal: Pick<Principal, 'tenantId' | 'limits'>
  /** Name of the source. */
  readonly source: string
  /** `traceparent` of the request's span when that span is recorded. */
  readonly traceparent?: string | undefined
}

/**
 * Takes the lines of one request: `fill` reads the whole request into the sink, then everything is appended to the stream, and the promise resolves when
 * it is safe there or in the spool. For every source, whatever its transport is.
 * @throws (rejects with) what `fill` throws, RATE_LIMITED, or the errors of Producer.open; then nothing was accepted, and the client may send it again
 */
export type AcceptLogs = (
  request: LogRequest,
  fill: (sink: LogSink, receivedAtMs: number) => void,
) => Promise<SourceOutcome>

export function createAcceptLogs(deps: AcceptLogsDeps): AcceptLogs {
  const { producer, limiter, masker, rules, counts, metrics, now } = deps
  return async function acceptLogs({ principal, source, traceparent }, fill) {
    // Before any work is done for a request that the stream could not take.
    producer.check()
    const receivedAtMs = now()
    const { tenantId } = principal
    const collector = new RecordCollector({ masker, receivedAtMs })
    const ownRules = rules.of(tenantId)
    const transforming = ownRules && new TransformingSink(ownRules, collector)
    fill(transforming ?? collector, receivedAtMs)
    const { rejections } = collector
    const services = collector.finish()
    // What a rule drops was accepted from the client, and counts as rejected in the ledger, because it is not stored.
    const dropped = transforming?.droppedLines ?? 0
    const refused = rejections.length + dropped
    const accepted = collector.accepted + dropped
    // A tenant's own rate is for events; but a tenant that is blocked sends no lines either.
    const blocked = principal.limits?.ratePerSecond === 0 ? principal.limits : undefined
    const decision = await limiter.take(tenantId, accepted + rejections.length, blocked)
    if (!decision.ok) throw rateLimited(decision)
    const appended = await appendRecords({ tenantId, services, refused, traceparent }, producer)
    const spooled = appended.reduce((sum, { records, isSpooled }) => sum + (isSpooled ? records : 0), 0)
    counts.add(tenantId, { accepted: accepted + rejections.length, rejected: refused, spooled })
    if (transforming !== undefined) metrics.noteTransformed(transforming.counts)
    metrics.noteAccepted(source, accepted, rejections.length)
    return { accepted, rejections }
  }
}
