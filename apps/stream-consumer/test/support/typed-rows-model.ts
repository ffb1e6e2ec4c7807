import type { TestEvent } from './frames.js'

type Row = Readonly<Record<string, unknown>>

export interface ExpectedRows {
  readonly sessions: readonly Row[]
  readonly logins: readonly Row[]
  readonly activities: readonly Row[]
}

/** Device, browser and system of each user agent that the test sends. The last one names nothing. */
export const USER_AGENTS: Readonly<Record<string, readonly (string | null)[]>> = {
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1':
    ['mobile', 'Safari', 'iOS'],
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0': ['desktop', 'Firefox', 'Windows'],
  nonsense: [null, null, null],
}

/** The events of a test with their JSON parsed. */
interface Parsed {
  readonly id: string
  readonly n: number
  readonly name: string
  readonly at: Date
  readonly userId: string | null
  readonly user: string
  readonly session: string | null
  readonly word: string | null
  readonly client: readonly (string | null)[]
  readonly ip: string | null
}

/** The rows after all idle sessions have been closed, computed from all events at once. */
export function expectedRows(events: readonly TestEvent[]): ExpectedRows {
  const parsed = events.map(parse)
  const sessions = [...new Set(parsed.flatMap(({ session }) => session ?? []))].sort()
  return {
    sessions: sessions.map((session) =>
      sessionRow(
        session,
        parsed.filter((event) => event.session === session),
      ),
    ),
    logins: parsed
      .filter(({ name }) => name === '$login')
      .map(({ id, user, at, word, client: [device_type, browser, os], ip }) => ({
        message_id: id,
        user_id: user,
        timestamp: at,
        method: word ?? 'unknown',
        device_type,
        browser,
        os,
        ip,
      })),
    activities: parsed
      .filter(({ name }) => name === '$activity')
      .map(({ id, n, user, at, word }) => ({
        message_id: id,
        user_id: user,
        timestamp: at,
        action: word ?? 'unknown',
        entity_type: word ?? 'unknown',
        entity_id: String(n),
      })),
  }
}

function sessionRow(session: string, events: readonly Parsed[]): Row {
  const known = events.filter(({ userId }) => userId !== null)
  const times = events.map(({ at }) => at.getTime())
  const last = new Date(Math.max(...times))
  const ends = events.filter(({ name, at }) => name === '$session_end' && at.getTime() === last.getTime())
  const reasons = ends.map(({ word }) => word ?? 'ended').sort()
  const client = earliest(
    events.filter((event) => event.client.some((part) => part !== null)),
    (event) => event.client,
  )
  return {
    session_id: session,
    user_id: earliest(known.length > 0 ? known : events, ({ user }) => [user])?.[0],
    started_at: new Date(Math.min(...times)),
    last_seen_at: last,
    ended_at: last,
    end_reason: reasons.find((reason) => reason !== 'idle') ?? 'idle',
    device_type: client?.[0] ?? null,
    browser: client?.[1] ?? null,
    os: client?.[2] ?? null,
    ip:
      earliest(
        events.filter(({ ip }) => ip !== null),
        ({ ip }) => [ip],
      )?.[0] ?? null,
  }
}

/** The values of the earliest events; of several, those that are first in byte order. */
function earliest(
  events: readonly Parsed[],
  valuesOf: (event: Parsed) => readonly (string | null)[],
): readonly (string | null)[] | undefined {
  const first = Math.min(...events.map(({ at }) => at.getTime()))
  const candidates = events.filter(({ at }) => at.getTime() === first).map(valuesOf)
  const hex = (values: readonly (string | null)[]) =>
    values.map((value) => Buffer.from(value ?? '').toString('hex')).join(' ')
  return candidates.sort((a, b) => (hex(a) < hex(b) ? -1 : 1))[0]
}

function parse(event: TestEvent): Parsed {
  const properties = JSON.parse(event.properties ?? '{}') as Record<string, unknown>
  const context = JSON.parse(event.context ?? '{}') as Record<string, string | null>
  const word = properties.reason as string | null
  return {
    id: event.messageId ?? '',
    n: properties.entity_id as number,
    name: event.event ?? '',
    at: new Date(event.timestampMs ?? 0),
    userId: event.userId ?? null,
    user: event.userId ?? event.anonymousId ?? '',
    session: properties.session_id as string | null,
    word: word === null || word.trim() === '' ? null : word,
    client: USER_AGENTS[context.userAgent ?? ''] ?? [null, null, null],
    ip: context.ip === '' ? null : (context.ip ?? null),
  }
}
