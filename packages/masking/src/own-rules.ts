import { isAscii } from 'node:buffer'
import { JsonStrings } from './json-strings.js'
import { checkRule, type MaskRule, readsBytes } from './mask-rule.js'

/** The second pass: regular expressions of one's own, in their order. */
export class OwnRules {
  readonly #rules: readonly MaskRule[]
  /** Whether every rule finds the same in UTF-8 bytes read one byte a character. */
  readonly #readsBytes: boolean
  readonly #count: (rule: string) => void

  /** @throws RangeError when a rule may take more than linear time or break JSON */
  constructor(rules: readonly MaskRule[], count: (rule: string) => void) {
    for (const rule of rules) checkRule(rule)
    this.#rules = rules
    this.#readsBytes = rules.every(readsBytes)
    this.#count = count
  }

  /** Returns the argument where nothing is masked. */
  mask(bytes: Buffer): Buffer {
    if (this.#rules.length === 0) return bytes
    const encoding = this.#readsBytes || isAscii(bytes) ? 'latin1' : 'utf8'
    const text = bytes.toString(encoding)
    let masked = text
    for (const rule of this.#rules) if (mayMatch(masked, rule.needs)) masked = this.#apply(masked, rule)
    return masked === text ? bytes : Buffer.from(masked, encoding)
  }

  #apply(text: string, rule: MaskRule): string {
    const { detector } = rule
    let strings: JsonStrings | undefined
    let output = ''
    let done = 0
    detector.lastIndex = 0
    for (let match = detector.exec(text); match !== null; match = detector.exec(text)) {
      const [found] = match
      if (found === '' || rule.accepts?.(found, text, match.index) === false) {
        detector.lastIndex = match.index + 1
        continue
      }
      this.#count(rule.name)
      let replacement = `${match.groups?.before ?? ''}${rule.replacement}${match.groups?.after ?? ''}`
      if (JSON_NUMBER.test(found)) {
        strings ??= stringsOf(text)
        // A masked number of a JSON text has to become a string.
        if (strings.isJson && !strings.isInside(match.index)) replacement = `"${replacement}"`
      }
      output += text.slice(done, match.index) + replacement
      done = match.index + found.length
    }
    return done === 0 ? text : output + text.slice(done)
  }
}

const JSON_NUMBER = /^-?\d+$/

/** With one byte for each character, so that positions agree. */
function stringsOf(text: string): JsonStrings {
  const bytes = Buffer.from(text.replace(/[^\0-\x7f]/g, '\x80'), 'latin1')
  return new JsonStrings(bytes, 0, bytes.length)
}

function mayMatch(text: string, needs: MaskRule['needs']): boolean {
  if (needs === undefined) return true
  return typeof needs === 'string' ? text.includes(needs) : needs.test(text)
}
