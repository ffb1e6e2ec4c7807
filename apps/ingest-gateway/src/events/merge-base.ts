import { KeyTable } from '../json/key-table.js'
import type { RequestText } from '../json/request-text.js'
import type { EventScanner, MemberRange } from './event-scanner.js'

interface Member extends MemberRange {
  /** Keys of this member and of everything inside its value. */
  readonly keys: number
  /** The value as the base of another merge, once it was needed. */
  base: MergeBase | undefined
}

const [COMMA, OPEN_BRACE] = [0x2c, 0x7b]

/**
 * A JSON object that many objects are merged with. Its keys are found once; a merge copies ranges of bytes and creates no strings, so values
 * stay as they are written. Of repeated keys the last one counts.
 */
export class MergeBase {
  readonly #text: RequestText
  readonly #scanner: EventScanner
  readonly #members: readonly Member[]
  readonly #keys: KeyTable
  /** By member: where the other object has its value for the same key, or 0. */
  readonly #found: Int32Array

  /** The object begins at `start` and was scanned before. */
  constructor(start: number, { text, scanner }: { text: RequestText; scanner: EventScanner }) {
    const members = new Map<string, MemberRange>()
    scanner.forEachMember(start, (key, range) => members.set(key, range))
    this.#text = text
    this.#scanner = scanner
    this.#members = [...members.values()].map((range) => ({
      ...range,
      keys: 1 + scanner.measure(range.start).members,
      base: undefined,
    }))
    this.#keys = new KeyTable([...members.keys()].map((key, i) => [key, i]))
    this.#found = new Int32Array(members.size)
  }

  /**
   * Appends the merged object to the text: the members of this object and those of the object at `own`, which win. Two objects under the same
   * key are merged in the same way. Returns how many keys the merged object has more than the one at `own`.
   */
  append(own: number, ownEnd: number): number {
    const [text, scanner, found] = [this.#text, this.#scanner, this.#found]
    scanner.findMembers(own, this.#keys, found)
    text.appendByte(OPEN_BRACE)
    const first = text.used
    let added = 0
    let areObjects = false
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[i] as Member
      if (found[i] !== 0) {
        areObjects ||= this.#isObject(member.start) && this.#isObject(found[i] as number)
        continue
      }
      if (text.used > first) text.appendByte(COMMA)
      text.appendRange(member.keyStart, member.end)
      added += member.keys
    }
    if (text.used > first && !scanner.isEmptyObject(own)) text.appendByte(COMMA)
    if (areObjects) return added + this.#appendOwn(own + 1, ownEnd)
    text.appendRange(own + 1, ownEnd)
    return added
  }

  /** Copies the other object after its brace; objects that this object has under the same keys are replaced by both merged. */
  #appendOwn(start: number, end: number): number {
    const [text, scanner] = [this.#text, this.#scanner]
    let [added, p] = [0, start]
    for (const { member, value } of this.#objectsInBoth()) {
      text.appendRange(p, value)
      member.base ??= new MergeBase(member.start, { text, scanner })
      p = scanner.endOf(value)
      added += member.base.append(value, p)
    }
    text.appendRange(p, end)
    return added
  }

  /** The members that are objects in both, in the order of the other object. */
  #objectsInBoth(): { member: Member; value: number }[] {
    return this.#members
      .map((member, i) => ({ member, value: this.#found[i] as number }))
      .filter(({ member, value }) => value > 0 && this.#isObject(member.start) && this.#isObject(value))
      .sort((a, b) => a.value - b.value)
  }

  #isObject(start: number): boolean {
    return this.#text.bytes[start] === OPEN_BRACE
  }
}
