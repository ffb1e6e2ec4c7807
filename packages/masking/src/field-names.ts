/** Names whose values are never shown. Compared in lower case; `_`, `-` and spaces do not count. */
export const defaultFieldNames: readonly string[] = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'authorization',
  'cookie',
  'api_key',
  'write_key',
  'access_key',
  'private_key',
  'credential',
  'credentials',
  'ssn',
  'card_number',
  'cvv',
  'cvc',
]

interface Node {
  /** By character code. */
  readonly next: (Node | undefined)[]
  isName: boolean
  /** Whether a configured name has a separator here. */
  hasSeparator: boolean
}

/** More separators in a row than a name has: what follows is not read. */
const READ_AHEAD = 8

/** Tells whether a name ends in one of the given ones (`x-api-key`, `userPassword`), by a tree of their letters from last to first. */
export class FieldNames {
  readonly #root = newNode()
  readonly #readMax: number
  /** Whether all names are ASCII, so that they can be found in UTF-8 bytes. */
  readonly isAscii: boolean

  constructor(names: readonly string[]) {
    for (const name of names) this.#add(name)
    this.#readMax = Math.max(0, ...names.map(({ length }) => length)) + READ_AHEAD
    this.isAscii = names.every((name) => /^[ -~]*$/.test(name))
  }

  has(name: string): boolean {
    return this.endsAt(name, name.length, true)
  }

  /**
   * Whether a name ends before `end`. Separators in the text are skipped everywhere, or only where a configured name has one, so that in prose
   * "is sn:" is not the name `ssn`.
   */
  endsAt(text: string, end: number, areSeparatorsFree: boolean): boolean {
    let node = this.#root
    const stop = Math.max(0, end - this.#readMax)
    for (let at = end - 1; at >= stop; at--) {
      const code = text.charCodeAt(at)
      if (isSeparator(code)) {
        if (areSeparatorsFree || node.hasSeparator) continue
        return false
      }
      const next = node.next[lower(code)]
      if (next === undefined) return false
      if (next.isName) return true
      node = next
    }
    return false
  }

  #add(name: string): void {
    let node = this.#root
    for (let at = name.length - 1; at >= 0; at--) {
      const code = name.charCodeAt(at)
      if (isSeparator(code)) {
        node.hasSeparator = true
        continue
      }
      let next = node.next[lower(code)]
      if (next === undefined) next = node.next[lower(code)] = newNode()
      node = next
    }
    if (node !== this.#root) node.isName = true
  }
}

function newNode(): Node {
  return { next: [], isName: false, hasSeparator: false }
}

/** `_`, `-` or a space. */
function isSeparator(code: number): boolean {
  return code === 0x5f || code === 0x2d || code === 0x20
}

/** ASCII alone, because UTF-8 bytes are read here as characters too. */
function lower(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code
}
