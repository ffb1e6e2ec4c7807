import { numberOf, textOf, valueAt } from './field-value.js'
import { readNumber, readText } from './json-bytes.js'
import { type KeyPath, parseKeyPath } from './key-path.js'
import { ALL_EVENTS, type RollupDefinition } from './rollup-definition.js'
import { seriesKey } from './series-key.js'

/**
 * Where the values of one event are found: by position in its bytes for watched properties, else in its parsed JSON.
 */
export interface EventFields {
  /** Holds the values that `watched` points to. */
  readonly bytes: Buffer
  /** Offset in `bytes` of the value of the watched property `slot`; 0 when the event does not have it. */
  watched(slot: number): number
  /** The parsed JSON of `properties` or `context`; undefined when the event does not have it. */
  parsed(root: string): unknown
}

/** Finds the series of one definition that an event counts in. */
export interface SeriesReader {
  /**
   * The key of the series and the event's number, NaN for a definition without property. undefined when the
   * definition has a property and the event has no number there. The object may be reused by the next call.
   */
  read(fields: EventFields): { key: string; value: number } | undefined
}

/** The series of one tenant's events of one name. */
export interface EventSeries {
  readonly event: string
  /** The key of the series that every event of this name counts in. */
  readonly seriesKey: string
  /** One for each definition that aggregates this event. */
  readonly readers: readonly SeriesReader[]
}

/**
 * Keys remembered for each definition and tenant. The memory then starts anew, so that random dimension values cannot
 * fill it.
 */
const REMEMBERED_MAX = 20_000

/** Definitions made ready to find the series of many events. */
export class CompiledDefinitions {
  /** Names of properties directly below `properties` that definitions read, and the slot of each. */
  readonly watched: ReadonlyMap<string, number>
  /**
   * Names of such properties for which no slot was left. They are read from parsed JSON, which costs more for each
   * event.
   */
  readonly unwatched: readonly string[]
  readonly #definitions: readonly RollupDefinition[]

  /**
   * `slotsMax`: how many properties the caller can find without parsing the event. Deeper paths, paths in `context`
   * and properties beyond that number are read from parsed JSON.
   */
  constructor(definitions: readonly RollupDefinition[], { slotsMax }: { slotsMax: number }) {
    this.#definitions = definitions
    const watched = new Map<string, number>()
    const unwatched = new Set<string>()
    for (const path of definitions.flatMap((definition) => [...definition.dimensions, definition.property ?? ''])) {
      const name = propertyOf(path)
      if (name === undefined || watched.has(name)) continue
      if (watched.size === slotsMax) unwatched.add(name)
      else watched.set(name, watched.size)
    }
    this.watched = watched
    this.unwatched = [...unwatched]
  }

  /** The series of a tenant's events named `event`. Callers keep the result: making it costs more than using it. */
  describe(tenantId: number, event: string): EventSeries {
    const definitions = this.#definitions.filter(
      (definition) => definition.event === ALL_EVENTS || definition.event === event,
    )
    return {
      event,
      seriesKey: seriesKey({ tenantId, event, property: null, dimensions: [], values: [] }),
      readers: definitions.map((definition) => this.#compile(tenantId, definition)),
    }
  }

  #compile(tenantId: number, { event, dimensions, property }: RollupDefinition): SeriesReader {
    const keyOf = (values: (string | null)[]) =>
      seriesKey({ tenantId, event, property, dimensions: [...dimensions], values })
    const readValue = property === null ? () => Number.NaN : this.#numberReader(property)
    if (dimensions.length === 0) {
      const point = { key: keyOf([]), value: 0 }
      return {
        read: (fields) => {
          point.value = readValue(fields)
          return property !== null && Number.isNaN(point.value) ? undefined : point
        },
      }
    }
    const readers = dimensions.map((path) => this.#textReader(path))
    const keys = new Map<string, string>()
    return {
      read: (fields) => {
        const value = readValue(fields)
        if (property !== null && Number.isNaN(value)) return undefined
        const texts = readers.map((reader) => reader(fields))
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

  #numberReader(path: string): (fields: EventFields) => number {
    const slot = this.#slotOf(path)
    if (slot === undefined) {
      const read = parsedReader(path)
      return (fields) => numberOf(read(fields))
    }
    return (fields) => {
      const at = fields.watched(slot)
      return at === 0 ? Number.NaN : readNumber(fields.bytes, at)
    }
  }

  #textReader(path: string): (fields: EventFields) => string | null {
    const slot = this.#slotOf(path)
    if (slot === undefined) {
      const read = parsedReader(path)
      return (fields) => textOf(read(fields))
    }
    return (fields) => {
      const at = fields.watched(slot)
      return at === 0 ? null : readText(fields.bytes, at)
    }
  }

  #slotOf(path: string): number | undefined {
    const name = propertyOf(path)
    return name === undefined ? undefined : this.watched.get(name)
  }
}

function parsedReader(path: string): (fields: EventFields) => unknown {
  const { root, keys } = keyPathOf(path)
  return (fields) => valueAt(fields.parsed(root), keys)
}

/** The name of a property directly below `properties`; undefined for other paths. */
function propertyOf(path: string): string | undefined {
  const { root, keys } = keyPathOf(path)
  return root === 'properties' && keys.length === 1 ? keys[0] : undefined
}

/** Definitions that are in the database since before keys could be quoted may have paths that no query can name now. They are read as then, split at dots. */
function keyPathOf(path: string): KeyPath {
  const parsed = parseKeyPath(path)
  if (typeof parsed !== 'string') return parsed
  const [root = '', ...keys] = path.split('.')
  return { root, keys }
}
