import type { FieldNames } from './field-names.js'
import { BUILT_IN_REPLACEMENTS } from './text-view.js'

/** Keeps a masked object small; what is left out is named in brackets. */
export interface ValueLimits {
  /** Levels of objects and arrays. */
  readonly depth?: number
  /** Entries of each object and array. */
  readonly items?: number
  /** Characters of each text. */
  readonly textLength?: number
}

interface ValueMaskerDeps {
  readonly text: (text: string, isId: boolean) => string
  readonly names: Pick<FieldNames, 'kindOf'>
  /** Counts a value that was masked for its name. */
  readonly countField: () => void
}

/** Objects around a value, outermost first. */
type Parents = readonly object[]

const DEPTH_MAX = 100

/** Masks values of any type into copies that JSON.stringify accepts. */
export class ValueMasker {
  readonly #deps: ValueMaskerDeps
  readonly #depthMax: number
  readonly #itemsMax: number
  readonly #textLengthMax: number

  constructor(deps: ValueMaskerDeps, limits: ValueLimits = {}) {
    this.#deps = deps
    this.#depthMax = limits.depth ?? DEPTH_MAX
    this.#itemsMax = limits.items ?? Number.POSITIVE_INFINITY
    this.#textLengthMax = limits.textLength ?? Number.POSITIVE_INFINITY
  }

  value(input: unknown, parents: Parents = [], isId = false): unknown {
    switch (typeof input) {
      case 'string':
        return this.#text(input, isId)
      case 'number':
        return this.#number(input, isId)
      case 'bigint':
        return this.#text(String(input), isId)
      case 'boolean':
      case 'undefined':
        return input
      case 'object':
        return input === null ? null : this.#object(input, parents)
      default:
        return `[${typeof input}]`
    }
  }

  /** The value of a field: masked as a whole when the field's name says so. */
  field(name: string, input: unknown, parents: Parents = []): unknown {
    const kind = input === undefined || input === null ? undefined : this.#deps.names.kindOf(name)
    if (kind !== 'secret') return this.value(input, parents, kind === 'id')
    this.#deps.countField()
    return BUILT_IN_REPLACEMENTS.field
  }

  #text(input: string, isId = false): string {
    const masked = this.#deps.text(input, isId)
    return masked.length > this.#textLengthMax ? `${masked.slice(0, this.#textLengthMax)}[cut]` : masked
  }

  #number(input: number, isId: boolean): number | string {
    if (!Number.isFinite(input)) return String(input)
    // Shorter numbers cannot be card numbers.
    if (isId || Math.abs(input) < 1e12 || !Number.isInteger(input)) return input
    const digits = String(input)
    const masked = this.#deps.text(digits, false)
    return masked === digits ? input : masked
  }

  #object(input: object, parents: Parents): unknown {
    if (parents.includes(input)) return '[circular]'
    if (parents.length >= this.#depthMax) return '[deep]'
    try {
      return this.#copy(input, [...parents, input])
    } catch {
      // A getter or toJSON of the caller's object threw.
      return '[unreadable]'
    }
  }

  #copy(input: object, parents: Parents): unknown {
    if (input instanceof Error) return this.#error(input, parents)
    if (input instanceof Date) return Number.isNaN(input.getTime()) ? 'Invalid Date' : input.toISOString()
    if (ArrayBuffer.isView(input)) return `[${input.byteLength} bytes]`
    if (Array.isArray(input)) return this.#array(input, parents)
    if ('toJSON' in input && typeof input.toJSON === 'function') return this.value(input.toJSON(), parents)
    if (input instanceof Map) return this.#entries([...input.entries()], parents)
    if (input instanceof Set) return this.value([...input], parents)
    return this.#entries(Object.entries(input), parents)
  }

  #array(input: readonly unknown[], parents: Parents): unknown[] {
    const items = input.slice(0, this.#itemsMax).map((item) => this.value(item, parents))
    return input.length > this.#itemsMax ? [...items, `[${input.length - this.#itemsMax} more]`] : items
  }

  #entries(entries: readonly (readonly [unknown, unknown])[], parents: Parents): Record<string, unknown> {
    const output: Record<string, unknown> = {}
    for (const [key, item] of entries.slice(0, this.#itemsMax)) {
      const name = String(key)
      set(output, this.#text(name), this.field(name, item, parents))
    }
    return output
  }

  /** Name, code, message, own fields and the chain of causes; the stack of the outermost error only. */
  #error(error: Error, parents: Parents): Record<string, unknown> {
    const {
      name: _name,
      message: _message,
      stack: _stack,
      cause: _cause,
      ...own
    } = error as Error & Record<string, unknown>
    const output: Record<string, unknown> = { name: error.name, message: this.#text(error.message) }
    for (const [key, item] of Object.entries(own)) {
      if (item !== undefined) set(output, key, this.field(key, item, parents))
    }
    if (error instanceof AggregateError) output.errors = this.value(error.errors, parents)
    if (error.cause !== undefined) output.cause = this.value(error.cause, parents)
    if (parents.length === 1 && error.stack !== undefined) output.stack = this.#text(error.stack)
    return output
  }
}

/**
 * Returns a function that copies a value of any type into what JSON.stringify accepts, as a masker does, but masks nothing and cuts no text: so a copy
 * can be taken at once and masked later. A getter of the value that throws is named in brackets.
 */
export function createValueCopier(limits: Omit<ValueLimits, 'textLength'>): (value: unknown) => unknown {
  const names = { kindOf: () => undefined }
  const copier = new ValueMasker({ text: (text) => text, names, countField: () => undefined }, limits)
  return (value) => copier.value(value)
}

/** An assignment to `__proto__` would change the prototype. */
function set(target: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
  else target[name] = value
}
