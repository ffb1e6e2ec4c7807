import type { AnalyticsServiceService } from '@millrace/contracts'
import { MINUTE_MS } from '@millrace/contracts'
import type { Calls } from '@millrace/service'
import { errors } from '../errors.js'
import type { ProbeTarget } from './probe.js'
import type { ProbeKeys } from './probe-keys.js'

export interface ProbeTargetConfig {
  /** Without a slash at the end. */
  readonly gatewayUrl: string
}

export interface ProbeTargetDeps {
  readonly keys: ProbeKeys
  readonly analytics: Pick<Calls<typeof AnalyticsServiceService>, 'listEvents'>
}

/** Sends to the gateway over HTTP, like any client, and reads from analytics-query over gRPC. */
export function createProbeTarget(
  { gatewayUrl }: ProbeTargetConfig,
  { keys, analytics }: ProbeTargetDeps,
): ProbeTarget {
  async function send(path: string, signal: AbortSignal, body?: string): Promise<Record<string, unknown>> {
    const { key } = await keys.current()
    const response = await fetch(`${gatewayUrl}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      signal,
      ...(body === undefined ? {} : { body }),
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text) as Record<string, unknown>
    if (response.status === 401 || response.status === 403) keys.forget()
    throw errors.PROBE_FAILED({
      message: `the gateway answered ${path.split('/').slice(0, 3).join('/')} with ${response.status}`,
    })
  }
  return {
    async post(event, signal) {
      const answer = await send('/v1/events', signal, JSON.stringify([{ type: 'track', ...event }]))
      if (answer.accepted !== 1) throw errors.PROBE_FAILED({ message: 'the gateway did not accept the event' })
      return String(answer.receipt)
    },
    async readReceipt(receipt, signal) {
      const answer = await send(`/v1/receipts/${encodeURIComponent(receipt)}`, signal)
      return { isSettled: answer.state === 'settled', stored: Number(answer.stored) }
    },
    async isVisible({ messageId, userId, timestamp }, signal) {
      const sentAt = Date.parse(timestamp)
      const { tenantId } = await keys.current()
      const request = {
        event: '',
        userId,
        messageId,
        from: new Date(sentAt - MINUTE_MS),
        to: new Date(sentAt + MINUTE_MS),
        limit: 1,
        cursor: '',
        filters: [],
      }
      const { eventsJson } = await analytics.listEvents(request, {
        tenant: String(tenantId),
        caller: 'health-aggregator',
        signal,
      })
      return eventsJson.length === 1
    },
  }
}
