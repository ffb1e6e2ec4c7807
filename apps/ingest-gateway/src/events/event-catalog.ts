import { CompiledDefinitions, type EventSeries, type RollupDefinition } from '@millrace/rollups'
import { KeyTable } from '../json/key-table.js'
import { WATCHED_SLOTS } from './event-table.js'

/** Event names remembered for each tenant. The memory then starts anew, so that random names cannot fill it. */
const REMEMBERED_MAX = 20_000

/** Which rollup series the events of each name count in. Immutable: a new catalog replaces it when the definitions change. */
export class EventCatalog {
  /** Names of properties whose positions the scanner notes, and the slot of each. */
  readonly watched: KeyTable
  /** Names of properties that rollups read but that have no slot: each event that they apply to is parsed for them. */
  readonly unwatched: readonly string[]
  readonly #definitions: CompiledDefinitions
  readonly #names = new Map<number, EventNames>()

  constructor(definitions: readonly RollupDefinition[]) {
    this.#definitions = new CompiledDefinitions(definitions, { slotsMax: WATCHED_SLOTS })
    this.watched = new KeyTable(this.#definitions.watched)
    this.unwatched = this.#definitions.unwatched
  }

  /** The event names of one tenant. */
  names(tenantId: number): EventNames {
    let names = this.#names.get(tenantId)
    if (names === undefined) {
      names = new EventNames((event) => this.#definitions.describe(tenantId, event))
      this.#names.set(tenantId, names)
    }
    return names
  }
}

/** Finds the series of events by the bytes of their names, without making strings. */
export class EventNames {
  readonly #describe: (event: string) => EventSeries
  readonly #byHash = new Map<number, { bytes: Buffer; series: EventSeries }>()

  constructor(describe: (event: string) => EventSeries) {
    this.#describe = describe
  }

  /** Bytes `start` to `end` of `bytes` are the name in UTF-8. */
  find(bytes: Buffer, start: number, end: number): EventSeries {
    let hash = end - start
    for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + (bytes[p] as number)) | 0
    const known = this.#byHash.get(hash)
    if (known !== undefined && isEqual(known.bytes, bytes, start, end)) return known.series
    const series = this.#describe(bytes.toString('utf8', start, end))
    if (this.#byHash.size >= REMEMBERED_MAX) this.#byHash.clear()
    this.#byHash.set(hash, { bytes: Buffer.from(bytes.subarray(start, end)), series })
    return series
  }
}

function isEqual(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  for (let i = 0; i < known.length; i++) {
    if (known[i] !== bytes[start + i]) return false
  }
  return true
}
