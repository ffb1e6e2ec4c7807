import { randomUUID } from 'node:crypto'
import { type EventRecord, FLAG, type Hash64, hashText, partitionOf, RecordBatchBuilder } from '@millrace/contracts'
import { seriesKey } from '@millrace/rollups'

/** The parts of an event that a test sets; the others have defaults. */
export interface TestEvent {
  messageId?: string
  tenantId?: number
  event?: string
  /** 'ann' unless one of the ids is given. */
  userId?: string | null
  anonymousId?: string | null
  timestampMs?: number
  receivedAtMs?: number
  properties?: string | null
  context?: string | null
  /** Further series: property path and dimensions, with a value or NaN. */
  points?: { event: string; property: string | null; dimensions: string[]; values: (string | null)[]; value: number }[]
}

const TYPED = new Set(['$login', '$activity', '$session_start', '$session_end'])

function idsOf({ userId, anonymousId }: TestEvent): { userId: string | null; anonymousId: string | null } {
  return { userId: userId ?? ((anonymousId ?? null) === null ? 'ann' : null), anonymousId: anonymousId ?? null }
}

/** The record that the gateway makes of `event`. */
export function toRecord(event: TestEvent): EventRecord {
  const tenantId = event.tenantId ?? 1
  const messageId = event.messageId ?? randomUUID()
  const { userId, anonymousId } = idsOf(event)
  const message: Hash64 = hashText(messageId, tenantId, { lo: 0, hi: 0 })
  const user: Hash64 = hashText(userId ?? anonymousId ?? '', tenantId, { lo: 0, hi: 0 })
  const name = event.event ?? 'Flight'
  const timestampMs = event.timestampMs ?? Date.now()
  return {
    tenantId,
    messageHashLo: message.lo,
    messageHashHi: message.hi,
    userHashLo: user.lo,
    userHashHi: user.hi,
    timestampMs,
    receivedAtMs: event.receivedAtMs ?? timestampMs,
    type: 0,
    flags: TYPED.has(name) ? FLAG.typed : 0,
    messageId,
    event: name,
    userId,
    anonymousId,
    properties: event.properties === undefined ? '{"delay":12}' : event.properties,
    context: event.context === undefined ? null : event.context,
  }
}

/** Adds events to an open batch as the gateway does, with one tally. */
export function addEvents(builder: RecordBatchBuilder, events: readonly TestEvent[]): void {
  for (const event of events) {
    const record = toRecord(event)
    const base = { tenantId: record.tenantId, event: record.event, property: null, dimensions: [], values: [] }
    const index = builder.add(record, seriesKey(base))
    for (const { value, ...series } of event.points ?? []) {
      builder.addPoint(index, seriesKey({ tenantId: record.tenantId, ...series }), value)
    }
    builder.tally(record.tenantId, 1, 0)
  }
}

/** The payload of a frame with these events. */
export function payloadOf(events: readonly TestEvent[]): Buffer {
  const builder = new RecordBatchBuilder()
  addEvents(builder, events)
  return builder.seal()
}

export function partitionOfEvent(event: TestEvent, partitions = 16): number {
  const { userId, anonymousId } = idsOf(event)
  return partitionOf(hashText(userId ?? anonymousId ?? '', event.tenantId ?? 1, { lo: 0, hi: 0 }), partitions)
}
