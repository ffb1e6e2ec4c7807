import type { EventRow } from '@millrace/contracts'
import type { Client } from './user-agent.js'

/** The fields of a typed event. Clients write them, so they may be missing or of any type. */
type Fields = Readonly<Record<string, unknown>>

/** An event with a schema of its own, in the form of the typed tables' rows. PostgreSQL can store its texts. */
export interface TypedEvent {
  readonly row: EventRow
  readonly properties: Fields
  readonly context: Fields
  readonly client: Client
  readonly ip: string | null
  /** The session that the event belongs to or is about. */
  readonly sessionId: string | null
}

/** Reads the JSON of a typed event. Malformed parts count as missing; the event itself is stored unchanged. */
export function readTypedEvent(row: EventRow, readUserAgent: (userAgent: string | null) => Client): TypedEvent {
  const properties = parseObject(row.properties)
  const context = parseObject(row.context)
  return {
    row,
    properties,
    context,
    client: readUserAgent(textOf(context, 'userAgent', 'user_agent') ?? textOf(properties, 'userAgent', 'user_agent')),
    ip: textOf(context, 'ip') ?? textOf(properties, 'ip'),
    sessionId: textOf(properties, 'session_id', 'sessionId') ?? textOf(context, 'session_id', 'sessionId'),
  }
}

/**
 * The first of `names` with a text that is not blank or a number, as text of at most 512 characters (so that it fits
 * an index), else null. A blank text is never a name, so it counts as missing.
 */
export function textOf(fields: Fields, ...names: string[]): string | null {
  for (const name of names) {
    const value = fields[name]
    if (typeof value === 'string' && value.trim() !== '') return toStorableText(value)
    if (typeof value === 'number') return String(value)
  }
  return null
}

/** The user id of a row, or else its anonymous id. */
export function userOf({ userId, anonymousId }: EventRow): string | null {
  const user = userId ?? anonymousId
  return user === null ? null : toStorableText(user)
}

/** At most 512 characters, without NUL characters and lone surrogates, which JSON may hold and PostgreSQL refuses. */
export function toStorableText(text: string): string {
  return text.slice(0, 512).replace(/[\0\uD800-\uDFFF]/gu, '\uFFFD')
}

function parseObject(json: string | null): Fields {
  if (json === null) return {}
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
  } catch {
    return {}
  }
}
