/** A chain: the entries of one tenant and stream whose segments arrived on one UTC day. */
export interface ChainId {
  readonly tenantId: number
  /** Name of a stream: letters, digits and `_ - :`; a dot may not be the first character. */
  readonly stream: string
  /** UTC, as 2026-11-30. */
  readonly day: string
}

/** What the caller of the archive says about a segment. */
export interface SegmentFacts {
  /** What the payload is, with its version, such as `log-chunks.1`. The archive does not look inside. */
  readonly kind: string
  /** UTC hour of arrival, as 2026-11-30T14. */
  readonly hour: string
  readonly records: number
  /** Earliest and latest time of the records, ms since 1970. */
  readonly firstMs: number
  readonly lastMs: number
  /** Labels that decide about retention, such as levels of log lines. At most 64. */
  readonly labels: readonly string[]
}

/** An entry of a chain that describes a segment. `hash` is the SHA-256 of the entry's bytes, in hexadecimal digits. */
export interface SegmentEntry extends ChainId, SegmentFacts {
  readonly type: 'segment'
  /** From 1, without gaps. */
  readonly seq: number
  /** Hash of the entry before this one; 64 zeros for the first. */
  readonly previous: string
  /** Bytes of the payload before encryption. */
  readonly bytes: number
  /** ISO 8601. */
  readonly sealedAt: string
  readonly keyVersion: number
  /** The data key, sealed by the key of the tenant, in Base64. */
  readonly wrappedKey: string
  /** SHA-256 of the body, in hexadecimal digits. */
  readonly body: string
}

/** An entry that takes the place of segments that were deleted on purpose: the chain holds without them. */
export interface TombstoneEntry extends ChainId {
  readonly type: 'tombstone'
  readonly seq: number
  readonly previous: string
  readonly sealedAt: string
  /** Why, for people: `retention`, `erasure`. */
  readonly reason: string
  /** The entries of the deleted segments, byte for byte, so that the entries after them can still be checked. */
  readonly deleted: readonly string[]
}

export type Entry = SegmentEntry | TombstoneEntry

/** The hash before the first entry of a chain. */
export const NO_HASH = '0'.repeat(64)

const HASH = /^[0-9a-f]{64}$/
const DAY = /^\d{4}-\d{2}-\d{2}$/
const HOUR = /^\d{4}-\d{2}-\d{2}T\d{2}$/

/** Reads the JSON of an entry. Returns what is wrong with it as a text when it is none. */
export function parseEntry(json: string): Entry | string {
  let value: Partial<Record<string, unknown>>
  try {
    value = JSON.parse(json) as Partial<Record<string, unknown>>
  } catch {
    return 'its entry is not JSON'
  }
  if (typeof value !== 'object' || value === null) return 'its entry is not an object'
  const fault = findFault(value)
  return fault === undefined ? (value as unknown as Entry) : `the field ${fault} of its entry is not valid`
}

type Check = (value: unknown) => boolean

const isText = (max: number) => (value: unknown) => typeof value === 'string' && value.length <= max
const matches = (pattern: RegExp) => (value: unknown) => typeof value === 'string' && pattern.test(value)
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0
const isListOf = (check: Check, max: number) => (value: unknown) =>
  Array.isArray(value) && value.length <= max && value.every(check)

const COMMON: Readonly<Record<string, Check>> = {
  tenantId: isCount,
  stream: isText(100),
  day: matches(DAY),
  seq: (value) => isCount(value) && value !== 0,
  previous: matches(HASH),
  sealedAt: isText(40),
}
const OF_TYPE: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  segment: {
    kind: isText(100),
    hour: matches(HOUR),
    records: isCount,
    firstMs: Number.isSafeInteger,
    lastMs: Number.isSafeInteger,
    labels: isListOf(isText(100), 64),
    bytes: isCount,
    keyVersion: isCount,
    wrappedKey: isText(1000),
    body: matches(HASH),
  },
  tombstone: { reason: isText(200), deleted: isListOf(isText(64 * 1024), 1000) },
}

function findFault(value: Partial<Record<string, unknown>>): string | undefined {
  const type = typeof value.type === 'string' && Object.hasOwn(OF_TYPE, value.type) ? value.type : undefined
  if (type === undefined) return 'type'
  for (const [field, check] of [...Object.entries(COMMON), ...Object.entries(OF_TYPE[type] ?? {})])
    if (!check(value[field])) return field
  return undefined
}
