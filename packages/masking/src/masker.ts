import { isAscii } from 'node:buffer'
import { defaultMaskRules } from './default-rules.js'
import { defaultFieldNames, FieldNames } from './field-names.js'
import { findFieldValues, MASKED_VALUE } from './find-field-values.js'
import { JsonStrings } from './json-strings.js'
import { checkRule, type Finder, type MaskRule, readsBytes } from './mask-rule.js'
import { type ValueLimits, ValueMasker } from './mask-value.js'

/** Settings of `createMasker`; all have defaults. */
export interface MaskerConfig {
  /** Default: `defaultMaskRules`. Applied in their order. */
  readonly rules?: readonly MaskRule[]
  /** Field names whose values are always masked, besides `defaultFieldNames`. */
  readonly fieldNames?: readonly string[]
  /** What `value` and `field` leave out of an object. Default: a depth of 100, nothing else. */
  readonly limits?: ValueLimits
}

/** Replaces personal data and secrets. Masking a masked value changes nothing. Never throws. */
export interface Masker {
  /** Takes time in proportion to the length of the text. A JSON object or array, or one on each line, stays JSON. */
  text(text: string): string
  /** The same for UTF-8. Returns the argument itself where nothing is masked; otherwise new bytes. */
  bytes(bytes: Uint8Array): Uint8Array
  /** A copy that is ready for JSON. */
  value(value: unknown): unknown
  /** The same for the value of a field; a value with a name of `fieldNames` is masked as a whole. */
  field(name: string, value: unknown): unknown
  /** Number of masked matches by rule name since the masker was created; values of named fields count as `field`. */
  readonly counts: ReadonlyMap<string, number>
}

/** A replacement may complete a match of an earlier rule, for example a card number inside the password of a URL. */
const PASSES_MAX = 5

/** @throws RangeError when a rule may take more than linear time or break JSON */
export function createMasker(config: MaskerConfig = {}): Masker {
  const rules = config.rules ?? defaultMaskRules
  for (const rule of rules) checkRule(rule)
  const names = new FieldNames([...defaultFieldNames, ...(config.fieldNames ?? [])])
  const readsAllBytes = names.isAscii && rules.every(readsBytes)
  const counts = new Map([['field', 0], ...rules.map(({ name }): [string, number] => [name, 0])])
  const count = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1)
  const fields: MaskRule = {
    name: 'field',
    detector: (text) => findFieldValues(text, names),
    replacement: MASKED_VALUE,
    needs: /[:=]/,
  }
  const all = [fields, ...rules]

  const needsOfAny = joinNeeds(all)
  const text = (input: string): string => {
    if (!needsOfAny.test(input)) return input
    let output = input
    // After a change the rules up to the one that made it are applied again. Later rules have already seen the new text.
    let end = all.length
    for (let pass = 0; pass < PASSES_MAX && end > 0; pass++) {
      let changed = 0
      for (let index = 0; index < end; index++) {
        const rule = all[index] as MaskRule
        if (!mayMatch(output, rule.needs)) continue
        const masked = applyRule(output, rule, count)
        if (masked !== output) changed = index + 1
        output = masked
      }
      end = changed
    }
    return output
  }

  const bytes = (input: Uint8Array): Uint8Array => {
    const buffer = Buffer.from(input.buffer, input.byteOffset, input.byteLength)
    const encoding = readsAllBytes || isAscii(buffer) ? 'latin1' : 'utf8'
    const decoded = buffer.toString(encoding)
    const masked = text(decoded)
    return masked === decoded ? input : Buffer.from(masked, encoding)
  }

  const values = new ValueMasker({ text, names, count }, config.limits)
  return {
    text,
    bytes,
    counts,
    value: (input) => values.value(input),
    field: (name, input) => values.field(name, input),
  }
}

/** Matches where the need of any rule is met; everywhere when a rule has none. */
function joinNeeds(rules: readonly MaskRule[]): RegExp {
  const sources = new Set(
    rules.map(({ needs = '' }) => (typeof needs === 'string' ? needs.replace(/[^\w ]/g, '\\$&') : needs.source)),
  )
  return new RegExp([...sources].join('|'))
}

function mayMatch(text: string, needs: MaskRule['needs']): boolean {
  if (needs === undefined) return true
  return typeof needs === 'string' ? text.includes(needs) : needs.test(text)
}

function applyRule(text: string, rule: MaskRule, count: (name: string) => void): string {
  return typeof rule.detector === 'function'
    ? applyFinder(text, rule, rule.detector, count)
    : applyExpression(text, rule, rule.detector, count)
}

function applyFinder(text: string, rule: MaskRule, find: Finder, count: (name: string) => void): string {
  let output = ''
  let done = 0
  for (const found of find(text)) {
    const replacement = found.text ?? rule.replacement
    if (text.slice(found.start, found.end) === replacement) continue
    output += text.slice(done, found.start) + replacement
    done = found.end
    count(rule.name)
  }
  return done === 0 ? text : output + text.slice(done)
}

function applyExpression(text: string, rule: MaskRule, expression: RegExp, count: (name: string) => void): string {
  let strings: JsonStrings | undefined
  let output = ''
  let done = 0
  expression.lastIndex = 0
  for (let match = expression.exec(text); match !== null; match = expression.exec(text)) {
    const [found] = match
    const end = match.index + found.length
    if (found === '' || rule.accepts?.(found, text, match.index) === false) {
      expression.lastIndex = match.index + 1
      continue
    }
    count(rule.name)
    let replacement = `${match.groups?.before ?? ''}${rule.replacement}${match.groups?.after ?? ''}`
    if (JSON_NUMBER.test(found)) {
      strings ??= new JsonStrings(text)
      // A masked number of a JSON text has to become a string.
      if (strings.isJson && !strings.isInside(match.index)) replacement = `"${replacement}"`
    }
    output += text.slice(done, match.index) + replacement
    done = end
  }
  return done === 0 ? text : output + text.slice(done)
}

const JSON_NUMBER = /^-?\d+$/
