import { defaultFieldNames, defaultIdNames, FieldNames, type NameKind } from './field-names.js'
import { type MaskRange, maskColumn, maskLines, type TextColumn } from './mask-rows.js'
import type { MaskRule } from './mask-rule.js'
import { type ValueLimits, ValueMasker } from './mask-value.js'
import { OwnRules } from './own-rules.js'
import { Scanner } from './scanner.js'
import { BUILT_IN_REPLACEMENTS, type BuiltInRule, type ByteFinding } from './text-view.js'

/** Names of all built-in rules. */
export const builtInRules = Object.keys(BUILT_IN_REPLACEMENTS) as readonly BuiltInRule[]

/** Settings of `createMasker`; all have defaults. */
export interface MaskerConfig {
  /** Built-in rules that are on. Default: all. */
  readonly builtIn?: readonly BuiltInRule[]
  /** Rules of one's own, applied after the built-in ones. Default: none. */
  readonly rules?: readonly MaskRule[]
  /** Field names whose values are always masked, besides `defaultFieldNames`. */
  readonly fieldNames?: readonly string[]
  /**
   * Field names besides `defaultIdNames` whose values are ids: one plain id of letters, digits and `_-.:/#` is no card, social security, account or
   * telephone number. A name of `fieldNames` wins.
   */
  readonly idNames?: readonly string[]
  /** What `value` and `field` leave out of an object. Default: a depth of 100, nothing else. */
  readonly limits?: ValueLimits
}

/** A text in bytes, from `start` to `end`. `isId`: it is the value of a field that holds ids. */
export interface TextPart {
  readonly start: number
  readonly end: number
  readonly isId: boolean
}

/** Replaces personal data and secrets. Masking a masked value changes nothing. Never throws. */
export interface Masker {
  /** Takes time in proportion to the length of the text. A JSON object or array, or one on each line, stays JSON. */
  text(text: string): string
  /** The same for UTF-8. Returns the argument itself where nothing is masked; otherwise new bytes. */
  bytes(bytes: Uint8Array): Uint8Array
  /**
   * The same for each text of a column, apart from its neighbours. `name` is the name of the field that the column holds: it decides once whether all values
   * are secrets, ids or ordinary texts. Returns the argument itself where nothing is masked.
   */
  column(column: TextColumn, name?: string): TextColumn
  /** The same for texts that end in a newline each. */
  lines(bytes: Uint8Array, name?: string): Uint8Array
  /** The same for the bytes from `start` to `end`; undefined where nothing is masked. */
  range(bytes: Buffer, start: number, end: number): Buffer | undefined
  /** Whether nothing would be masked in a part of the bytes. Counts nothing. With rules of one's own it may be false for a text that they leave unchanged. */
  isClean(bytes: Buffer, part: TextPart): boolean
  /** What the name of a field says about its value. */
  kindOf(name: string): NameKind | undefined
  /** A copy that is ready for JSON. */
  value(value: unknown): unknown
  /** The same for the value of a field; a value with a name of `fieldNames` is masked as a whole. */
  field(name: string, value: unknown): unknown
  /** Number of masked matches by rule name since the masker was created; values of named fields count as `field`. */
  readonly counts: ReadonlyMap<string, number>
}

/** @throws RangeError when a rule of one's own may take more than linear time or break JSON */
export function createMasker(config: MaskerConfig = {}): Masker {
  return new ScanningMasker(config)
}

/** A replacement may complete another match: in `+49 30 123 4567bob@example.com` the address hides where the telephone number ends. */
const PASSES_MAX = 5
const SCRATCH_BYTES = 65_536
/** Up to this length a loop is quicker than a call of the encoder. */
const LOOP_LENGTH_MAX = 64
const MASKED = Buffer.from(BUILT_IN_REPLACEMENTS.field)

class ScanningMasker implements Masker {
  readonly counts = new Map<string, number>()
  readonly #scanner: Scanner
  readonly #names: FieldNames
  readonly #ownRules: OwnRules
  readonly #hasOwnRules: boolean
  readonly #values: ValueMasker
  #scratch: Buffer | undefined

  constructor(config: MaskerConfig) {
    const { builtIn = builtInRules, rules = [] } = config
    for (const name of [...builtIn, ...rules.map(({ name }) => name)]) this.counts.set(name, 0)
    this.#names = new FieldNames({
      secrets: [...defaultFieldNames, ...(config.fieldNames ?? [])],
      ids: [...defaultIdNames, ...(config.idNames ?? [])],
    })
    this.#scanner = new Scanner(this.#names, builtIn)
    this.#ownRules = new OwnRules(rules, (rule) => this.#count(rule))
    this.#hasOwnRules = rules.length > 0
    const text = (input: string, isId: boolean) => this.#text(input, isId)
    this.#values = new ValueMasker({ text, names: this.#names, countField: () => this.#count('field') }, config.limits)
  }

  text(text: string): string {
    return this.#text(text, false)
  }

  bytes(bytes: Uint8Array): Uint8Array {
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return this.#mask(buffer, 0, buffer.length, false) ?? bytes
  }

  column(column: TextColumn, name = ''): TextColumn {
    return maskColumn(column, this.#rangeMasker(name))
  }

  lines(bytes: Uint8Array, name = ''): Uint8Array {
    return maskLines(bytes, this.#rangeMasker(name))
  }

  range(bytes: Buffer, start: number, end: number): Buffer | undefined {
    return this.#mask(bytes, start, end, false)
  }

  isClean(bytes: Buffer, part: TextPart): boolean {
    return !this.#hasOwnRules && this.#scanner.scan(bytes, part) === undefined
  }

  kindOf(name: string): NameKind | undefined {
    return this.#names.kindOf(name)
  }

  value(value: unknown): unknown {
    return this.#values.value(value)
  }

  field(name: string, value: unknown): unknown {
    return this.#values.field(name, value)
  }

  #rangeMasker(name: string): MaskRange {
    const kind = this.#names.kindOf(name)
    if (kind === 'secret') return (bytes, start, end) => this.#maskWhole(bytes, start, end)
    return (bytes, start, end) => this.#mask(bytes, start, end, kind === 'id')
  }

  #maskWhole(bytes: Buffer, start: number, end: number): Buffer | undefined {
    if (start === end || bytes.subarray(start, end).equals(MASKED)) return undefined
    this.#count('field')
    return MASKED
  }

  #text(text: string, isId: boolean): string {
    if (text === '') return text
    this.#scratch ??= Buffer.allocUnsafeSlow(SCRATCH_BYTES)
    const scratch = text.length * 3 <= SCRATCH_BYTES ? this.#scratch : Buffer.from(text)
    const length = scratch === this.#scratch ? encode(text, scratch) : scratch.length
    const masked = this.#mask(scratch, 0, length, isId)
    return masked === undefined ? text : masked.toString()
  }

  /** The masked bytes from `start` to `end`, or undefined where nothing is masked. */
  #mask(bytes: Buffer, start: number, end: number, isId: boolean): Buffer | undefined {
    let findings = this.#scanner.scan(bytes, { start, end, isId })
    if (findings === undefined && !this.#hasOwnRules) return undefined
    let input = bytes.subarray(start, end)
    let offset = start
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      const before = input
      if (findings !== undefined) input = this.#replace(input, findings, offset)
      input = this.#ownRules.mask(input)
      if (input === before) return pass === 0 ? undefined : input
      offset = 0
      findings = this.#scanner.scan(input, { start: 0, end: input.length, isId })
    }
    return input
  }

  #replace(bytes: Buffer, findings: readonly ByteFinding[], offset: number): Buffer {
    const pieces: Buffer[] = []
    let done = 0
    for (const { rule, start, end, text } of findings) {
      this.#count(rule)
      pieces.push(bytes.subarray(done, start - offset), Buffer.from(text, 'latin1'))
      done = end - offset
    }
    pieces.push(bytes.subarray(done))
    return Buffer.concat(pieces)
  }

  #count(rule: string): void {
    this.counts.set(rule, (this.counts.get(rule) ?? 0) + 1)
  }
}

/** Writes the text as UTF-8 and returns the number of bytes. */
function encode(text: string, into: Buffer): number {
  if (text.length > LOOP_LENGTH_MAX) return into.write(text, 0)
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code >= 0x80) return into.write(text, 0)
    into[at] = code
  }
  return text.length
}
