import type { Masker } from '@millrace/masking'
import { DRAFT_BYTES_MAX, type RejectionDraft } from './rejection-draft.js'

/** One entry of the list of rejections, in the form in which Redis stores it and GET /api/v1/rejections returns it. */
export interface KeptRejection {
  readonly time: string
  readonly scope: 'event' | 'request'
  readonly wire: string
  readonly path: string
  readonly code: string
  readonly reason: string
  readonly index: number | null
  readonly message_id: string | null
  readonly type: string | null
  readonly event: string | null
  readonly user_id: string | null
  readonly anonymous_id: string | null
  readonly library: string | null
  readonly user_agent: string | null
  readonly excerpt: string | null
  readonly bytes: number
  readonly omitted: number
}

const EXCERPT_LENGTH_MAX = 1024
const TEXT_LENGTH_MAX = 255
const REASON_LENGTH_MAX = 500
/** A secret that the end of the copied bytes cuts in two may not be recognised, so the end is not shown. */
const UNSURE_LENGTH = 512
/** Of one kept rejection as JSON. */
export const REJECTION_BYTES_MAX = 4096

/** The rejection with personal data and secrets masked, as JSON of at most REJECTION_BYTES_MAX bytes. */
export function writeRejection(draft: RejectionDraft, masker: Masker): string {
  const kept = toKept(draft, masker)
  for (let length = kept.excerpt?.length ?? 0; length > 0; length >>= 1) {
    const text = JSON.stringify({ ...kept, excerpt: cut(kept.excerpt, length) })
    if (Buffer.byteLength(text) <= REJECTION_BYTES_MAX) return text
  }
  const text = JSON.stringify({ ...kept, excerpt: null })
  if (Buffer.byteLength(text) <= REJECTION_BYTES_MAX) return text
  // Only control characters, which JSON writes as six bytes, make the other texts so long.
  const none = { message_id: null, event: null, user_id: null, anonymous_id: null, library: null, user_agent: null }
  return JSON.stringify({ ...kept, ...none, reason: cut(kept.reason, 100), excerpt: null })
}

function toKept(draft: RejectionDraft, masker: Masker): KeptRejection {
  const { event, size } = draft
  const masked = (text: string | null) => (text === null ? null : cut(masker.text(text), TEXT_LENGTH_MAX))
  return {
    time: new Date(draft.atMs).toISOString(),
    scope: draft.scope,
    wire: draft.wire,
    path: draft.path,
    code: draft.code,
    reason: cut(masker.text(draft.reason), REASON_LENGTH_MAX),
    index: draft.index,
    message_id: masked(event.messageId),
    type: cut(event.type, 20),
    event: masked(event.name),
    user_id: masked(event.userId),
    anonymous_id: masked(event.anonymousId),
    library: masked(libraryOf(event.context)),
    user_agent: masked(draft.userAgent),
    excerpt: draft.bytes === undefined ? null : toExcerpt(draft.bytes, size, masker),
    bytes: size,
    omitted: draft.omitted,
  }
}

function toExcerpt(bytes: Buffer, size: number, masker: Masker): string {
  const masked = masker.text(bytes.toString('utf8'))
  const isWhole = bytes.length === size
  const sure = isWhole ? masked : masked.slice(0, Math.max(0, masked.length - UNSURE_LENGTH))
  return cut(sure, EXCERPT_LENGTH_MAX)
}

/** Name and version of the client's library from a context as the SDKs write it. */
function libraryOf(context: string | null): string | null {
  if (context === null || context.length > DRAFT_BYTES_MAX) return null
  let library: unknown
  try {
    library = (JSON.parse(context) as { library?: unknown } | null)?.library
  } catch {
    return null
  }
  if (typeof library === 'string') return library
  if (typeof library !== 'object' || library === null) return null
  const { name, version } = library as { name?: unknown; version?: unknown }
  if (typeof name !== 'string') return null
  return typeof version === 'string' ? `${name} ${version}` : name
}

function cut<T extends string | null>(text: T, lengthMax: number): T {
  if (text === null || text.length <= lengthMax) return text
  // Not within a surrogate pair, whose first half alone is no character.
  const end = /[\uD800-\uDBFF]/.test(text[lengthMax - 1] as string) ? lengthMax - 1 : lengthMax
  return text.slice(0, end) as T
}
