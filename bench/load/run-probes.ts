import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Latencies, type LatencySummary } from './latencies.js'
import { WireConnection } from './wire-connection.js'

export interface ProbeOptions {
  /** Base URL of the gateway. */
  url: string
  writeKey: string
  readKey: string
  durationMs: number
  /** Interval of the probes in milliseconds, by the clock. Default 100. */
  everyMs?: number | undefined
  /** Pause between two polls for an event, in milliseconds. It grows to 5 % of the time waited so far, to put less load on the stack. Default 3. */
  pollMs?: number | undefined
  /** Time after which a probe counts as unseen. Default 30,000. */
  deadlineMs?: number | undefined
}

export interface ProbeReport {
  /** Plain requests: from the scheduled send to the answer of the poll that showed the event. */
  visible: LatencySummary
  /** Requests with `?wait=stored`: from the scheduled send to the answer of the query that follows (`visibleAfterWait`), and to the answer of the request (`stored`). */
  visibleAfterWait: LatencySummary
  stored: LatencySummary
  /** Events that the first query after the answer to `?wait=stored` did not show. */
  lateAfterWait: number
  unseen: number
  sent: number
  /** Message ids of all probes; each must be stored once. */
  messageIds: string[]
}

/** Number of lanes that send probes in turn, so that a slow probe does not delay the next ones. */
const LANES = 64

/** Sends single events by the clock, each of its own user, and measures when a query shows it. Every second request waits for storage. */
export async function runProbes(options: ProbeOptions): Promise<ProbeReport> {
  const { durationMs, everyMs = 100 } = options
  const visible = new Latencies()
  const visibleAfterWait = new Latencies()
  const stored = new Latencies()
  const counts = { lateAfterWait: 0, unseen: 0 }
  const messageIds: string[] = []
  const startedAt = performance.now()
  const lane = async (first: number) => {
    const client = new ProbeClient(options)
    for (let i = first; i * everyMs < durationMs; i += LANES) {
      const due = startedAt + i * everyMs
      await delay(Math.max(0, due - performance.now()))
      const id = randomUUID()
      messageIds.push(id)
      const waits = i % 2 === 1
      if (!(await client.send(id, waits))) {
        counts.unseen++
        continue
      }
      if (waits) stored.add(performance.now() - due)
      const looks = await client.look(id)
      if (looks === 0) counts.unseen++
      else (waits ? visibleAfterWait : visible).add(performance.now() - due)
      if (waits && looks > 1) counts.lateAfterWait++
    }
    client.close()
  }
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)))
  return {
    visible: visible.summary(),
    visibleAfterWait: visibleAfterWait.summary(),
    stored: stored.summary(),
    ...counts,
    sent: messageIds.length,
    messageIds,
  }
}

class ProbeClient {
  private readonly options: ProbeOptions
  private readonly wire: WireConnection

  constructor(options: ProbeOptions) {
    this.options = options
    this.wire = new WireConnection(options.url)
  }

  /** Whether the event was accepted. */
  async send(id: string, waits: boolean): Promise<boolean> {
    const event = {
      type: 'track',
      messageId: id,
      event: '$probe',
      userId: `probe-${id}`,
      timestamp: new Date().toISOString(),
    }
    const body = waits ? JSON.stringify([event]) : JSON.stringify({ batch: [event] })
    const answer = await this.exchange(
      'POST',
      waits ? '/v1/events?wait=stored' : '/v1/batch',
      this.options.writeKey,
      body,
    )
    return answer !== undefined
  }

  /** The number of queries until the event was shown; 0 when it never was. */
  async look(id: string): Promise<number> {
    const { pollMs = 3, deadlineMs = 30_000, readKey } = this.options
    const startedAt = performance.now()
    for (let looks = 1; performance.now() - startedAt < deadlineMs; looks++) {
      const answer = await this.exchange('GET', `/api/v1/events?user_id=probe-${id}&limit=1`, readKey, '')
      if (answer?.includes(id)) return looks
      await delay(Math.max(pollMs, (performance.now() - startedAt) / 20))
    }
    return 0
  }

  close(): void {
    this.wire.close()
  }

  private async exchange(method: string, path: string, key: string, body: string): Promise<string | undefined> {
    const head =
      `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`
    const answer = await this.wire.send(head + body, 30_000).catch(() => undefined)
    return answer?.status === 200 ? answer.body : undefined
  }
}
