import { seriesKey } from '@millrace/contracts'
import { decodeString } from '../json/decode-string.js'
import { KeyTable } from '../json/key-table.js'
import { readNumber } from '../json/read-number.js'

/** One aggregate that is kept while streaming. Paths begin with `properties.` or `context.`; event '*' is every event. */
export interface RollupDefinition {
  event: string
  dimensions: readonly string[]
  property: string | null
}

/** Where a plan finds the values of one event. Objects are parsed only for definitions that look deeper than the first level. */
export interface EventValues {
  bytes: Buffer
  /** Start of the value of the watched property `slot`, or 0. */
  watched(slot: number): number
  parsed(root: string): unknown
}

/** A further series that a record counts in. */
export interface SeriesPoint {
  /** The key of the series and the record's value, NaN for none; undefined when the record adds nothing. */
  read(values: EventValues): { key: string; value: number } | undefined
}

/** What is to be known of one (tenant, event): made once, then found by the event's bytes. */
export interface EventName {
  readonly text: string
  /** The series that every record of the event counts in. */
  readonly seriesKey: string
  readonly points: readonly SeriesPoint[]
}

/** So many names or dimension values are remembered; then the memory starts anew, so that random names cannot fill it. */
const REMEMBERED_MAX = 20_000

/** The definitions in force, made ready for the hot path. Replaced as a whole when they change. */
export class RollupPlan {
  /** Names of first-level properties to be noted while scanning. */
  readonly watched: KeyTable
  readonly #slots = new Map<string, number>()
  readonly #definitions: readonly RollupDefinition[]
  readonly #names = new Map<number, EventNames>()

  /** At most `slotsMax` properties are watched; the values of further ones are found by parsing the event's properties. */
  constructor(definitions: readonly RollupDefinition[], slotsMax: number) {
    this.#definitions = definitions
    for (const path of definitions.flatMap((definition) => [...definition.dimensions, definition.property ?? ''])) {
      const key = path.startsWith('properties.') ? path.slice('properties.'.length) : ''
      if (key === '' || key.includes('.') || this.#slots.size === slotsMax) continue
      if (!this.#slots.has(path)) this.#slots.set(path, this.#slots.size)
    }
    this.watched = new KeyTable([...this.#slots].map(([path, slot]) => [path.slice('properties.'.length), slot]))
  }

  /** The names of one tenant's events. */
  names(tenantId: number): EventNames {
    let names = this.#names.get(tenantId)
    if (names === undefined) {
      names = new EventNames((event) => this.#describe(tenantId, event))
      this.#names.set(tenantId, names)
    }
    return names
  }

  #describe(tenantId: number, event: string): EventName {
    const definitions = this.#definitions.filter((definition) => definition.event === '*' || definition.event === event)
    return {
      text: event,
      seriesKey: seriesKey({ tenantId, event, property: null, dimensions: [], values: [] }),
      points: definitions.map((definition) => this.#compile(tenantId, definition)),
    }
  }

  #compile(tenantId: number, { event, dimensions, property }: RollupDefinition): SeriesPoint {
    const keyOf = (values: (string | null)[]) =>
      seriesKey({ tenantId, event, property, dimensions: [...dimensions], values })
    const readValue = property === null ? () => Number.NaN : this.#numberReader(property)
    if (dimensions.length === 0) {
      const point = { key: keyOf([]), value: 0 }
      return {
        read: (values) => {
          point.value = readValue(values)
          return property !== null && Number.isNaN(point.value) ? undefined : point
        },
      }
    }
    const readers = dimensions.map((path) => this.#textReader(path))
    const keys = new Map<string, string>()
    return {
      read: (values) => {
        const value = readValue(values)
        if (property !== null && Number.isNaN(value)) return undefined
        const texts = readers.map((reader) => reader(values))
        const name = texts.map((text) => (text === null ? '0' : `1${text}`)).join('\0')
        let key = keys.get(name)
        if (key === undefined) {
          if (keys.size >= REMEMBERED_MAX) keys.clear()
          key = keyOf(texts)
          keys.set(name, key)
        }
        return { key, value }
      },
    }
  }

  /** The value where it is a JSON number, else NaN. */
  #numberReader(path: string): (values: EventValues) => number {
    const slot = this.#slots.get(path)
    if (slot === undefined) {
      return (values) => {
        const value = readPath(values, path)
        return typeof value === 'number' ? value : Number.NaN
      }
    }
    return (values) => {
      const at = values.watched(slot)
      return at === 0 ? Number.NaN : readNumber(values.bytes, at)
    }
  }

  /** The text of a string, number or boolean as JavaScript prints it; null for everything else. */
  #textReader(path: string): (values: EventValues) => string | null {
    const slot = this.#slots.get(path)
    if (slot === undefined) return (values) => toText(readPath(values, path))
    return (values) => {
      const at = values.watched(slot)
      return at === 0 ? null : readText(values.bytes, at)
    }
  }
}

/** Finds events by the bytes of their names, without making strings. */
export class EventNames {
  readonly #describe: (event: string) => EventName
  readonly #byHash = new Map<number, { bytes: Buffer; name: EventName }>()

  constructor(describe: (event: string) => EventName) {
    this.#describe = describe
  }

  /** Bytes `start` to `end` of `bytes` are the name in UTF-8. */
  find(bytes: Buffer, start: number, end: number): EventName {
    let hash = end - start
    for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + (bytes[p] as number)) | 0
    const known = this.#byHash.get(hash)
    if (known !== undefined && isEqual(known.bytes, bytes, start, end)) return known.name
    const name = this.#describe(bytes.toString('utf8', start, end))
    if (this.#byHash.size >= REMEMBERED_MAX) this.#byHash.clear()
    this.#byHash.set(hash, { bytes: Buffer.from(bytes.subarray(start, end)), name })
    return name
  }
}

function isEqual(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i++) {
    if (known[i] !== bytes[start + i]) return false
  }
  return true
}

function readText(bytes: Buffer, at: number): string | null {
  const c = bytes[at] as number
  if (c === 0x22) return decodeString(bytes, at, endOfString(bytes, at))
  if (c === 0x74) return 'true'
  if (c === 0x66) return 'false'
  const value = readNumber(bytes, at)
  return Number.isNaN(value) ? null : String(value)
}

function endOfString(bytes: Buffer, at: number): number {
  let p = at + 1
  while (bytes[p] !== 0x22) p += bytes[p] === 0x5c ? 2 : 1
  return p + 1
}

function readPath(values: EventValues, path: string): unknown {
  const [root = '', ...keys] = path.split('.')
  let value = values.parsed(root)
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    // A list's length is no part of the event, and raw rows do not know it.
    if (key === 'length' && Array.isArray(value)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}

function toText(value: unknown): string | null {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}
