import { setTimeout as delay } from 'node:timers/promises'
import { HOUR_MS } from '@millrace/contracts'
import { WireConnection } from '../../load/wire-connection.js'
import { createVisits } from '../data/model.js'

const BATCHES_A_SECOND = 20
/** Few, so that their rows are found by the index on users. */
export const LIVE_USERS = Array.from({ length: 200 }, (_, index) => `live-${index}`)

export interface LiveEventsOptions {
  url: string
  writeKey: string
  eventsPerSecond: number
  seed: number
  endMs: number
}

interface DrawnEvent {
  id: string
  userId: string
  event: string
  timeMs: number
  properties: Record<string, unknown>
}

export interface SentEvent extends DrawnEvent {
  acknowledgedMs: number
}

/**
 * Sends events to the gateway at a steady rate until stopped: most of this moment, one in twelve late, into hours, days and months that were over
 * long ago. Returns what was sent, each with the instant at which its request was answered.
 */
export function startLiveEvents({ url, writeKey, eventsPerSecond, seed, endMs }: LiveEventsOptions): {
  stop(): Promise<SentEvent[]>
} {
  const visits = createVisits(seed)
  const { random } = visits
  const wire = new WireConnection(url)
  const sent: SentEvent[] = []
  const size = Math.max(1, Math.round(eventsPerSecond / BATCHES_A_SECOND))
  let isStopped = false
  let number = 0
  const timeOf = (nowMs: number) => {
    const chance = random.next()
    if (chance < 0.92) return nowMs - Math.floor(random.next() * 200)
    if (chance < 0.96) return endMs - 1 - Math.floor(random.next() * 72 * HOUR_MS)
    if (chance < 0.98) return endMs - 1 - Math.floor(random.next() * 80 * 24 * HOUR_MS)
    return nowMs - Math.floor(random.next() * HOUR_MS)
  }
  const draw = (): DrawnEvent[] => {
    const userId = random.pick(LIVE_USERS)
    const country = visits.countryOf()
    return visits.draw(country).map(({ name, properties }) => ({
      id: `live-${seed}-${number++}`,
      userId,
      event: name,
      timeMs: timeOf(Date.now()),
      properties: { ...(JSON.parse(`{${properties}}`) as object), plan: random.next() < 0.2 ? 'team' : 'free' },
    }))
  }
  const run = async () => {
    const waiting: DrawnEvent[] = []
    for (let due = performance.now(); !isStopped; due += 1000 / BATCHES_A_SECOND) {
      await delay(Math.max(0, due - performance.now()))
      while (waiting.length < size) waiting.push(...draw())
      const batch = waiting.splice(0, size)
      await send(wire, writeKey, batch)
      const acknowledgedMs = Date.now()
      for (const event of batch) sent.push({ ...event, acknowledgedMs })
    }
    wire.close()
    return sent
  }
  const running = run()
  // A failure is reported by `stop`.
  running.catch(() => {})
  return {
    stop: () => {
      isStopped = true
      return running
    },
  }
}

async function send(wire: WireConnection, writeKey: string, events: DrawnEvent[]): Promise<void> {
  const batch = events.map(({ id, userId, event, timeMs, properties }) => ({
    type: 'track',
    messageId: id,
    userId,
    event,
    timestamp: new Date(timeMs).toISOString(),
    properties,
  }))
  const body = JSON.stringify({ batch })
  const request = `POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${Buffer.from(`${writeKey}:`).toString('base64')}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const answer = await wire.send(request, 30_000)
  if (answer.status !== 200 || !answer.body.includes('"rejected":[]'))
    throw new Error(`live events were refused with ${answer.status}: ${answer.body.slice(0, 300)}`)
}
