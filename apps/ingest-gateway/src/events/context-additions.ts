import { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import type { EventRow } from './event-row.js'
import type { EventScanner } from './event-scanner.js'
import { FIELD } from './event-table.js'

/** The members that the gateway adds to a context, with the index of each. */
export const ADDITION = { originalTimestamp: 0 } as const
const NAMES = Object.keys(ADDITION)
const keys = new KeyTable(Object.entries(ADDITION))

/** Adds members to the context of an event. A member that the context has already stays as it is, also when it is null. */
export class ContextAdditions {
  readonly #text: RequestText
  readonly #scanner: EventScanner
  readonly #found = new Int32Array(NAMES.length)

  constructor({ text, scanner }: { text: RequestText; scanner: EventScanner }) {
    this.#text = text
    this.#scanner = scanner
  }

  /** `values` has a JSON text for each index of ADDITION that is to be added. Changes nothing when the context is not an object. */
  add(event: EventRow, values: readonly (string | undefined)[]): void {
    const hasContext = !event.isAbsent(FIELD.context)
    if (hasContext && !event.isObject(FIELD.context)) return
    const start = event.start(FIELD.context)
    if (hasContext) this.#scanner.findMembers(start, keys, this.#found)
    else this.#found.fill(0)
    const members = NAMES.map((name, i) => ({ name, value: values[i], found: this.#found[i] }))
      .filter(({ value, found }) => value !== undefined && found === 0)
      .map(({ name, value }) => `"${name}":${value}`)
    if (members.length === 0) return
    const isEmpty = !hasContext || this.#scanner.isEmptyObject(start)
    const end = event.end(FIELD.context)
    const at = this.#text.appendText(`{${members.join(',')}${isEmpty ? '}' : ','}`)
    if (!isEmpty) this.#text.appendRange(start + 1, end)
    event.setRange(FIELD.context, at, this.#text.used)
  }
}
