import { isWhiteSpace, pairOf } from './byte-table.js'
import type { TextView } from './text-view.js'

/** Names whose values are never shown. Compared in lower case; `_`, `-` and spaces do not count. */
export const defaultFieldNames: readonly string[] = [
  'password',
  'passwd',
  'passphrase',
  'passcode',
  'pwd',
  'secret',
  'token',
  'authorization',
  'cookie',
  'api_key',
  'write_key',
  'access_key',
  'account_key',
  'private_key',
  'signing_key',
  'encryption_key',
  'credential',
  'credentials',
  'ssn',
  'social_security_number',
  'card_number',
  'cvv',
  'cvc',
]

/** Names of ids: a value that is one plain id is not taken for a card, social security, account or telephone number. */
export const defaultIdNames: readonly string[] = [
  'order_id',
  'order_number',
  'tracking',
  'tracking_id',
  'tracking_number',
  'trace_id',
  'span_id',
  'request_id',
  'message_id',
  'event_id',
  'correlation_id',
  'transaction_id',
]

/** What a field's name says about its value. */
export type NameKind = 'secret' | 'id'

interface Node {
  /** By byte. */
  readonly next: (Node | undefined)[]
  /** Of the name that ends here. */
  kind: NameKind | undefined
  /** Whether a configured name has a separator here. */
  hasSeparator: boolean
}

/** More separators in a row than a name has: what follows is not read. */
const READ_AHEAD = 8
/** Names of fields that objects and columns have are remembered up to this number. */
const REMEMBERED_MAX = 2_000

/** Tells whether a name ends in one of the given ones (`x-api-key`, `userPassword`), by a tree of their bytes from last to first. */
export class FieldNames {
  readonly #root = newNode()
  readonly #remembered = new Map<string, NameKind | undefined>()
  /** Of two bytes: whether a name may end in them. */
  readonly #endings = new Uint8Array(4096)
  #readMax = 0

  constructor(names: { readonly secrets: readonly string[]; readonly ids: readonly string[] }) {
    for (const name of names.ids) this.#add(name, 'id')
    for (const name of names.secrets) this.#add(name, 'secret')
  }

  kindOf(name: string): NameKind | undefined {
    const known = this.#remembered.get(name)
    if (known !== undefined || this.#remembered.has(name)) return known
    const bytes = Buffer.from(name)
    const kind = this.kindBefore({ bytes, start: 0, end: bytes.length, done: 0 }, bytes.length, true)
    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear()
    this.#remembered.set(name, kind)
    return kind
  }

  /**
   * The kind of the name that ends before `end`; a secret one wins. Separators in the text are skipped everywhere, or only where a configured name
   * has one, so that in prose "is sn:" is not the name `ssn`.
   */
  kindBefore({ bytes, start }: TextView, end: number, areSeparatorsFree: boolean): NameKind | undefined {
    let node = this.#root
    let kind: NameKind | undefined
    const stop = Math.max(start, end - this.#readMax)
    for (let at = end - 1; at >= stop; at--) {
      const code = bytes[at] as number
      if (isSeparator(code)) {
        if (areSeparatorsFree || node.hasSeparator) continue
        return kind
      }
      const next = node.next[lower(code)]
      if (next === undefined) return kind
      if (next.kind === 'secret') return 'secret'
      kind = next.kind ?? kind
      node = next
    }
    return kind
  }

  /** A cheap test of the two bytes in front of a closing quote, a colon or an equals sign. */
  mayEndIn(first: number, second: number): boolean {
    return (
      this.#endings[pairOf(lower(first), lower(second))] === 1 ||
      isSeparator(first) ||
      isSeparator(second) ||
      isWhiteSpace(second)
    )
  }

  #add(name: string, kind: NameKind): void {
    const bytes = Buffer.from(name)
    this.#readMax = Math.max(this.#readMax, bytes.length + READ_AHEAD)
    let node = this.#root
    for (let at = bytes.length - 1; at >= 0; at--) {
      const code = bytes[at] as number
      if (isSeparator(code)) {
        node.hasSeparator = true
        continue
      }
      let next = node.next[lower(code)]
      if (next === undefined) next = node.next[lower(code)] = newNode()
      node = next
    }
    if (node !== this.#root) node.kind = kind
    this.#addEnding(bytes.filter((code) => !isSeparator(code)))
  }

  #addEnding(bytes: Uint8Array): void {
    const last = lower(bytes.at(-1) ?? 0)
    const beforeLast = bytes.at(-2)
    if (beforeLast !== undefined) this.#endings[pairOf(lower(beforeLast), last)] = 1
    // Anything may stand in front of a name of one letter.
    else for (let code = 0; code < 64; code++) this.#endings[pairOf(code, last)] = 1
  }
}

function newNode(): Node {
  return { next: [], kind: undefined, hasSeparator: false }
}

/** `_`, `-` or a space. */
function isSeparator(code: number): boolean {
  return code === 0x5f || code === 0x2d || code === 0x20
}

/** ASCII alone. */
function lower(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code
}
