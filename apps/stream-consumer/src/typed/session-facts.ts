import { type TypedEvent, textOf, userOf } from './typed-event.js'

/** The reason of a session that ended because no further event came. */
const IDLE = 'idle'

/**
 * What a set of events says about one session. Times in ms. Facts of two sets merge into the facts of their union, in
 * any order: every fact is a minimum or maximum of a total order.
 *
 * - A session starts with its earliest event and was last seen with its latest one.
 * - It has ended when no event is later than its last `$session_end`. A later event opens it again.
 * - Its user is the earliest user id, or the earliest anonymous id when no event has a user id.
 * - Device, browser and system come from the earliest event that has any of them; the address likewise.
 * - Of values with the same time, the smallest text in byte order counts, as `collate "C"` of PostgreSQL has it. Of end
 *   reasons with the same time, every other one comes before `idle`.
 */
export interface SessionFacts {
  readonly tenantId: number
  readonly sessionId: string
  readonly startedMs: number
  readonly lastSeenMs: number
  /** The reason of the `$session_end` at `lastSeenMs`; null when there is none. */
  readonly endReason: string | null
  readonly user: { readonly id: string; readonly isAnonymous: boolean; readonly atMs: number } | null
  readonly client: SessionClient | null
  readonly ip: { readonly address: string; readonly atMs: number } | null
}

interface SessionClient {
  readonly deviceType: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly atMs: number
}

/** The facts of each session that `events` name, ordered by tenant and session. */
export function sessionFactsOf(events: readonly TypedEvent[]): SessionFacts[] {
  const sessions = new Map<string, SessionFacts>()
  for (const event of events) {
    if (event.sessionId === null) continue
    const key = `${event.row.tenantId} ${event.sessionId}`
    const known = sessions.get(key)
    const facts = factsOf(event, event.sessionId)
    sessions.set(key, known === undefined ? facts : merge(known, facts))
  }
  return [...sessions.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, facts]) => facts)
}

function factsOf({ row, properties, client, ip }: TypedEvent, sessionId: string): SessionFacts {
  const { tenantId, timestampMs: atMs } = row
  const { deviceType, browser, os } = client
  const user = userOf(row)
  const isEnd = row.event === '$session_end'
  return {
    tenantId,
    sessionId,
    startedMs: atMs,
    lastSeenMs: atMs,
    endReason: isEnd ? (textOf(properties, 'end_reason', 'endReason', 'reason') ?? 'ended') : null,
    user: user === null ? null : { id: user, isAnonymous: row.userId === null, atMs },
    client: (deviceType ?? browser ?? os) === null ? null : { deviceType, browser, os, atMs },
    ip: ip === null ? null : { address: ip, atMs },
  }
}

function merge(a: SessionFacts, b: SessionFacts): SessionFacts {
  const lastSeenMs = Math.max(a.lastSeenMs, b.lastSeenMs)
  const reasons = [a, b].filter((one) => one.lastSeenMs === lastSeenMs).map(({ endReason }) => endReason)
  return {
    ...a,
    startedMs: Math.min(a.startedMs, b.startedMs),
    lastSeenMs,
    endReason: reasons.reduce((first, second) => lowest(first, second, compareReasons)),
    user: lowest(a.user, b.user, compareUsers),
    client: lowest(a.client, b.client, compareClients),
    ip: lowest(a.ip, b.ip, (one, other) => one.atMs - other.atMs || compareBytes(one.address, other.address)),
  }
}

/** The lower of two values, or the one that is there. */
function lowest<T>(a: T | null, b: T | null, compare: (a: T, b: T) => number): T | null {
  if (a === null || b === null) return a ?? b
  return compare(b, a) < 0 ? b : a
}

type User = NonNullable<SessionFacts['user']>

function compareUsers(a: User, b: User): number {
  return Number(a.isAnonymous) - Number(b.isAnonymous) || a.atMs - b.atMs || compareBytes(a.id, b.id)
}

function compareClients(a: SessionClient, b: SessionClient): number {
  return (
    a.atMs - b.atMs ||
    compareBytes(a.deviceType ?? '', b.deviceType ?? '') ||
    compareBytes(a.browser ?? '', b.browser ?? '') ||
    compareBytes(a.os ?? '', b.os ?? '')
  )
}

function compareReasons(a: string, b: string): number {
  return Number(a === IDLE) - Number(b === IDLE) || compareBytes(a, b)
}

/** By the bytes of UTF-8, as PostgreSQL's `collate "C"`. JavaScript's `<` compares UTF-16 and differs beyond U+FFFF. */
function compareBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}
