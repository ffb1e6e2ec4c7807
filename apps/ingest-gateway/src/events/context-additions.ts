import { decodeString } from '../json/decode-string.js'
import { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import type { EventRow } from './event-row.js'
import type { EventScanner } from './event-scanner.js'
import { FIELD } from './event-table.js'
import { truncateAddress } from './truncate-address.js'

/** The members that the gateway adds to contexts. */
const NAMES = ['originalTimestamp', 'ip', 'userAgent'] as const
const IP = NAMES.indexOf('ip')
const keys = new KeyTable(NAMES.map((name, i) => [name, i]))
const QUOTE = 0x22

export type Additions = Readonly<Record<(typeof NAMES)[number], string | undefined>>

/** Adds members to the context of an event. A member that the context already has is not changed, even if it is null. */
export class ContextAdditions {
  readonly #text: RequestText
  readonly #scanner: EventScanner
  /** Whether the address that a context has is truncated, wherever it comes from. */
  readonly #truncatesIp: boolean
  readonly #found = new Int32Array(NAMES.length)

  constructor(
    { truncatesIp }: { truncatesIp: boolean },
    { text, scanner }: { text: RequestText; scanner: EventScanner },
  ) {
    this.#text = text
    this.#scanner = scanner
    this.#truncatesIp = truncatesIp
  }

  /** Changes nothing when the context is neither an object nor null. */
  add(event: EventRow, additions: Additions): void {
    const hasContext = !event.isAbsent(FIELD.context)
    if (hasContext && !event.isObject(FIELD.context)) return
    if (hasContext) this.#scanner.findMembers(event.start(FIELD.context), keys, this.#found)
    else this.#found.fill(0)
    if (this.#truncatesIp && this.#found[IP] !== 0) this.#truncate(event, this.#found[IP] as number)
    const members = NAMES.filter((name, i) => additions[name] !== undefined && this.#found[i] === 0)
    if (members.length === 0) return
    const start = event.start(FIELD.context)
    const end = event.end(FIELD.context)
    const isEmpty = !hasContext || this.#scanner.isEmptyObject(start)
    const text = members.map((name) => `"${name}":${JSON.stringify(additions[name])}`).join(',')
    const at = this.#text.appendText(`{${text}${isEmpty ? '}' : ','}`)
    if (!isEmpty) this.#text.appendRange(start + 1, end)
    event.setRange(FIELD.context, at, this.#text.used)
  }

  /** Truncates the address at `ip` in the context. */
  #truncate(event: EventRow, ip: number): void {
    if (this.#text.bytes[ip] !== QUOTE) return
    const ipEnd = this.#scanner.endOf(ip)
    const address = decodeString(this.#text.bytes, ip, ipEnd)
    const truncated = truncateAddress(address)
    if (truncated === address) return
    const end = event.end(FIELD.context)
    const at = this.#text.appendRange(event.start(FIELD.context), ip)
    this.#text.appendText(JSON.stringify(truncated))
    this.#text.appendRange(ipEnd, end)
    event.setRange(FIELD.context, at, this.#text.used)
  }
}
