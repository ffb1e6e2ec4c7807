import { maskText } from './mask-text.js'

const masked = '[masked]'
const depthMax = 8
const itemsMax = 200
const textLengthMax = 32_768
const nameCacheMax = 2_000

/** Names whose values are never written, whatever they hold. Compared in lower case without `_`, `-` and spaces. */
export const defaultMaskFields: readonly string[] = [
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

export interface Masker {
  /** A text without personal data or secrets. */
  text(text: string): string
  /** A JSON-ready copy without personal data or secrets; never throws, whatever the value is. */
  value(value: unknown): unknown
  /** The same for the value of a named field. */
  field(name: string, value: unknown): unknown
}

/** `maskFields` is added to the default names. A field is also masked when its name ends in one of them (`x-api-key`, `userPassword`). */
export function createMasker(maskFields: readonly string[] = []): Masker {
  const names = [...new Set([...defaultMaskFields, ...maskFields].map(plainName))].filter((name) => name !== '')
  const known = new Map<string, boolean>()
  const assignment = assignmentPattern([...defaultMaskFields, ...maskFields])

  const isMaskedName = (name: string): boolean => {
    const cached = known.get(name)
    if (cached !== undefined) return cached
    const plain = plainName(name)
    const answer = names.some((candidate) => plain.endsWith(candidate))
    // Names may come from callers: the cache must not grow with them.
    if (known.size < nameCacheMax) known.set(name, answer)
    return answer
  }

  const text = (input: string): string => {
    const hasAssignment = input.includes('=') || input.includes(':')
    const output = maskText(hasAssignment ? input.replace(assignment, `$1${masked}`) : input)
    return output.length > textLengthMax ? `${output.slice(0, textLengthMax)}[cut]` : output
  }

  const field = (name: string, input: unknown): unknown => fieldAt(name, input, 0, [])

  const fieldAt = (name: string, input: unknown, depth: number, parents: readonly object[]): unknown =>
    input !== undefined && input !== null && isMaskedName(name) ? masked : valueAt(input, depth, parents)

  const valueAt = (input: unknown, depth: number, parents: readonly object[]): unknown => {
    switch (typeof input) {
      case 'string':
        return text(input)
      case 'number':
        return Math.abs(input) >= 1e12 && Number.isInteger(input)
          ? maskDigits(input)
          : Number.isFinite(input)
            ? input
            : String(input)
      case 'bigint':
        return text(String(input))
      case 'boolean':
      case 'undefined':
        return input
      case 'object':
        return input === null ? null : guarded(input, depth, parents)
      default:
        return `[${typeof input}]`
    }
  }

  const maskDigits = (input: number): number | string => {
    const digits = String(input)
    return maskText(digits) === digits ? input : text(digits)
  }

  const guarded = (input: object, depth: number, parents: readonly object[]): unknown => {
    if (parents.includes(input)) return '[circular]'
    if (depth >= depthMax) return '[deep]'
    try {
      return objectAt(input, depth, [...parents, input])
    } catch {
      // A getter or toJSON of a caller's object threw; a log line must not fail for it.
      return '[unreadable]'
    }
  }

  const objectAt = (input: object, depth: number, parents: readonly object[]): unknown => {
    if (input instanceof Error) return errorAt(input, depth, parents)
    if (input instanceof Date) return Number.isNaN(input.getTime()) ? 'Invalid Date' : input.toISOString()
    if (ArrayBuffer.isView(input)) return `[${input.byteLength} bytes]`
    if (Array.isArray(input)) {
      const items = input.slice(0, itemsMax).map((item: unknown) => valueAt(item, depth + 1, parents))
      return input.length > itemsMax ? [...items, `[${input.length - itemsMax} more]`] : items
    }
    if ('toJSON' in input && typeof input.toJSON === 'function') return valueAt(input.toJSON(), depth + 1, parents)
    if (input instanceof Map) return entriesAt([...input.entries()], depth, parents)
    if (input instanceof Set) return valueAt([...input], depth, parents)
    return entriesAt(Object.entries(input), depth, parents)
  }

  const entriesAt = (
    entries: readonly (readonly [unknown, unknown])[],
    depth: number,
    parents: readonly object[],
  ): unknown => {
    const output: Record<string, unknown> = {}
    for (const [key, item] of entries.slice(0, itemsMax)) {
      const name = String(key)
      output[text(name)] = fieldAt(name, item, depth + 1, parents)
    }
    return output
  }

  /** Name, code, message, own fields and the chain of causes; the stack of the outermost error only. */
  const errorAt = (error: Error, depth: number, parents: readonly object[]): unknown => {
    const {
      name: _name,
      message: _message,
      stack: _stack,
      cause: _cause,
      ...own
    } = error as Error & Record<string, unknown>
    const output: Record<string, unknown> = { name: error.name, message: text(error.message) }
    for (const [key, item] of Object.entries(own)) {
      if (item !== undefined) output[key] = fieldAt(key, item, depth + 1, parents)
    }
    if (error instanceof AggregateError) output.errors = valueAt(error.errors, depth + 1, parents)
    if (error.cause !== undefined) output.cause = valueAt(error.cause, depth + 1, parents)
    if (depth === 0 && error.stack !== undefined) output.stack = text(error.stack)
    return output
  }

  return { text, value: (input) => valueAt(input, 0, []), field }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[_\s-]/g, '')
}

/** Finds `password=…`, `api-key: …` and `"token":"…"` inside a text; the first group is what is kept. */
function assignmentPattern(names: readonly string[]): RegExp {
  const alternatives = names
    .map((name) => name.replace(/[^A-Za-z0-9_\s-]/g, '\\$&').replace(/[_\s-]+/g, '[_ -]?'))
    .join('|')
  return new RegExp(
    `((?:${alternatives})["']?\\s{0,4}[=:]\\s{0,4}(?:(?:Bearer|Basic)\\s{1,4})?["']?)[^\\s"',;&}]{1,512}`,
    'gi',
  )
}
