import {
  APOSTROPHE,
  AT_SIGN,
  BACKSLASH,
  BYTE_KIND,
  COLON,
  DIGIT,
  EQUALS,
  HYPHEN,
  isDigit,
  isLetter,
  OPEN_PARENTHESIS,
  PERCENT,
  PLUS,
  QUOTE,
  TRIGGER,
} from './byte-table.js'
import type { FieldNames } from './field-names.js'
import { findEmail, isEncodedAtSign } from './find-email.js'
import { type FieldSearch, findFieldValue } from './find-field-values.js'
import { findIban } from './find-iban.js'
import { findIdEnd } from './find-id.js'
import { findInternationalPhone, findNumber, findPhoneInParentheses } from './find-numbers.js'
import {
  findCredential,
  findJwt,
  findKey,
  findPrivateKey,
  findUrlPassword,
  mayBeSecret,
  type ReadRuns,
  startsWord,
} from './find-secrets.js'
import { JsonStrings } from './json-strings.js'
import { BUILT_IN_REPLACEMENTS, type BuiltInRule, type ByteFinding, byteAt, type TextView } from './text-view.js'

/** One text of many in the same bytes, and what its column's name says about it. */
export interface ScanRange {
  readonly start: number
  readonly end: number
  /** Whether a text that is one plain id may consist of digits: the rules for numbers do not apply to it. */
  readonly isId: boolean
}

/**
 * Finds everything that the built-in rules replace, in one pass over the bytes of a text: each byte is looked up in one table, and only at the few that mean
 * something a rule looks around. The time is linear: whatever a rule reads twice is bounded.
 */
export class Scanner implements TextView {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  done = 0
  readonly #isOn: Readonly<Record<BuiltInRule, boolean>>
  readonly #runs: ReadRuns = { tokenEnd: 0, dottedEnd: 0, jwtFrom: 0 }
  readonly #search: FieldSearch
  #strings: JsonStrings | undefined
  #findings: ByteFinding[] = []
  /** Digits before are those of an id. */
  #idEnd = 0

  constructor(names: FieldNames, rules: readonly BuiltInRule[]) {
    const isOn = (rule: BuiltInRule) => rules.includes(rule)
    this.#isOn = Object.fromEntries(
      Object.keys(BUILT_IN_REPLACEMENTS).map((rule) => [rule, isOn(rule as BuiltInRule)]),
    ) as Record<BuiltInRule, boolean>
    this.#search = { view: this, names, strings: () => this.#jsonStrings() }
  }

  /** What is to be replaced, in ascending order; undefined for a text that stays as it is. */
  scan(bytes: Buffer, { start, end, isId }: ScanRange): ByteFinding[] | undefined {
    this.bytes = bytes
    this.start = start
    this.end = end
    this.done = -1
    this.#idEnd = isId && findIdEnd(this, start) === end ? end : start
    this.#strings = undefined
    this.#runs.tokenEnd = this.#runs.dottedEnd = this.#runs.jwtFrom = start
    this.#readAll(bytes, start, end)
    if (this.#findings.length === 0) return undefined
    const findings = this.#findings
    this.#findings = []
    return findings
  }

  /** Returns where to go on. Kept free of everything but the table, because it decides what a text without findings costs. */
  #readAll(bytes: Buffer, start: number, end: number): number {
    const table = BYTE_KIND
    let at = start
    while (at < end) {
      let kind = table[bytes[at] as number] as number
      if (kind === 0) {
        at++
        continue
      }
      if (kind >= TRIGGER) {
        at = this.#readSign(bytes[at] as number, at)
        continue
      }
      const from = at
      let kinds = kind
      at++
      while (at < end) {
        kind = table[bytes[at] as number] as number
        if (kind === 0 || kind >= TRIGGER) break
        kinds |= kind
        at++
      }
      if (kinds === DIGIT) at = this.#readDigits(from, at)
      else if (mayBeSecret(bytes[from] as number, bytes[from + 1] as number)) at = this.#readWord(from, at)
      else if ((kinds & DIGIT) !== 0 && mayBeIban(bytes, from, at)) at = this.#readIban(from, at)
    }
    return at
  }

  #readDigits(at: number, end: number): number {
    const found = findNumber(this, at, end, this.#isOn)
    // A number that begins in an id and ends behind it, as in "order_id=078 05 1120", is no id.
    if (found === undefined || found.end <= this.#idEnd) return end
    return this.#add(found.rule, { start: at, end: found.end })
  }

  /** A word that begins like a key or a token. */
  #readWord(at: number, end: number): number {
    const isOn = this.#isOn
    if (isOn.jwt && this.bytes[at] === 0x65) {
      const jwt = findJwt(this, at, this.#runs)
      if (jwt !== undefined) return this.#add('jwt', { start: at, end: jwt })
    }
    if (isOn.key) {
      const key = findKey(this, at, this.#runs)
      if (key !== undefined) return this.#add('key', { start: at, end: key })
    }
    if (isOn.authorization) {
      const found = findCredential(this, at, end)
      if (found !== undefined) return this.#add('authorization', found)
    }
    return mayBeIban(this.bytes, at, end) ? this.#readIban(at, end) : end
  }

  #readIban(at: number, end: number): number {
    const found = this.#isOn.iban && at >= this.#idEnd ? findIban(this, at) : undefined
    return found === undefined ? end : this.#add('iban', { start: at, end: found })
  }

  /** Returns where to go on. */
  #readSign(code: number, at: number): number {
    switch (code) {
      case COLON:
        return this.#readColon(at)
      case EQUALS:
        return this.#readField(at)
      case AT_SIGN:
        return this.#readEmail(at, 1)
      case PERCENT:
        return isEncodedAtSign(this, at) ? this.#readEmail(at, 3) : at + 1
      case PLUS:
        return this.#readPhone(at, findInternationalPhone)
      case OPEN_PARENTHESIS:
        return this.#readPhone(at, findPhoneInParentheses)
      case BACKSLASH:
        return this.#skipEscape(at)
      case HYPHEN:
        return this.#readHyphen(at)
      default:
        return at + 1
    }
  }

  #readColon(at: number): number {
    const password = this.#isOn.url_password ? findUrlPassword(this, at) : undefined
    if (password === undefined) return this.#readField(at)
    // The user's name may be an address or a card number. It holds no other "://", so this is called once.
    const read = this.#readAll(this.bytes, at + 3, password.start - 1)
    const start = Math.max(read, password.start)
    return start < password.end ? this.#add('url_password', { start, end: password.end }) : read
  }

  #readField(at: number): number {
    if (!this.#isOn.field) return at + 1
    const { bytes } = this
    const nameEnd = bytes[at - 1] === QUOTE || bytes[at - 1] === APOSTROPHE ? at - 1 : at
    if (nameEnd < this.start + 2) return at + 1
    const last = bytes[nameEnd - 1] as number
    if (last !== BACKSLASH && !this.#search.names.mayEndIn(bytes[nameEnd - 2] as number, last)) return at + 1
    const value = findFieldValue(this.#search, at)
    if (value === undefined) return at + 1
    if (value.kind === 'id') {
      this.#idEnd = Math.max(this.#idEnd, value.end)
      return at + 1
    }
    if (value.end <= value.start) return at + 1
    return this.#add('field', value, value.text)
  }

  #readEmail(at: number, length: number): number {
    const found = this.#isOn.email ? findEmail(this, at) : undefined
    return found === undefined ? at + length : this.#add('email', found)
  }

  #readPhone(at: number, find: (view: TextView, at: number) => number | undefined): number {
    const end = this.#isOn.phone && at >= this.#idEnd ? find(this, at) : undefined
    return end === undefined ? at + 1 : this.#add('phone', { start: at, end: end })
  }

  #readHyphen(at: number): number {
    if (!this.#isOn.key || this.bytes[at + 1] !== HYPHEN || !startsWord(this, at)) return at + 1
    const end = findPrivateKey(this, at)
    return end === undefined ? at + 1 : this.#add('key', { start: at, end: end })
  }

  /** The letter of an escape such as \n or \u000a does not belong to the word behind it. */
  #skipEscape(from: number): number {
    let at = from + 1
    while (byteAt(this, at) === BACKSLASH) at++
    const letter = byteAt(this, at)
    if (letter === 0x75 && isHex(this.bytes, at + 1, Math.min(this.end, at + 5))) return at + 5
    return letter !== undefined && ESCAPES.includes(letter) ? at + 1 : at
  }

  #jsonStrings(): JsonStrings {
    this.#strings ??= new JsonStrings(this.bytes, this.start, this.end)
    return this.#strings
  }

  /** Notes a finding, unless it is masked already, and returns its end. */
  #add(rule: BuiltInRule, { start, end }: { readonly start: number; readonly end: number }, text?: string): number {
    const replacement = text ?? this.#replacementOf(rule, start)
    if (replacement.length !== end - start || this.bytes.toString('latin1', start, end) !== replacement) {
      this.#findings.push({ rule, start, end, text: replacement })
      this.done = end
    }
    return end
  }

  /** A masked number of a JSON text has to become a string. */
  #replacementOf(rule: BuiltInRule, start: number): string {
    const replacement = BUILT_IN_REPLACEMENTS[rule]
    if (rule !== 'card') return replacement
    const strings = this.#jsonStrings()
    return strings.isJson && !strings.isInside(start) ? `"${replacement}"` : replacement
  }
}

const ESCAPES = [0x62, 0x66, 0x6e, 0x72, 0x74]

function isHex(bytes: Buffer, from: number, to: number): boolean {
  return to - from === 4 && /^[0-9a-f]{4}$/i.test(bytes.toString('latin1', from, to))
}

/** Two letters and two digits begin an account number. */
function mayBeIban(bytes: Buffer, from: number, to: number): boolean {
  return to - from >= 4 && isDigit(bytes[from + 2]) && isDigit(bytes[from + 3]) && isLetter(bytes[from])
}
