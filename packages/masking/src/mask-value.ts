import type { FieldNames } from './field-names.js'
import { MASKED_VALUE } from './find-field-values.js'

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
  readonly text: (text: string) => string
  readonly names: FieldNames
  readonly count: (name: string) => void
}

/** Masks values of any kind into copies that JSON.stringify takes. */
export function createValueMasker({ text: maskText, names, count }: ValueMaskerDeps, limits: ValueLimits = {}) {
  const { depth: depthMax = 100, items: itemsMax = Number.POSITIVE_INFINITY } = limits
  const { textLength = Number.POSITIVE_INFINITY } = limits

  const textAt = (input: string): string => {
    const masked = maskText(input)
    return masked.length > textLength ? `${masked.slice(0, textLength)}[cut]` : masked
  }

  const fieldAt = (name: string, input: unknown, parents: readonly object[]): unknown => {
    if (input === undefined || input === null || !names.has(name)) return valueAt(input, parents)
    count('field')
    return MASKED_VALUE
  }

  const valueAt = (input: unknown, parents: readonly object[]): unknown => {
    switch (typeof input) {
      case 'string':
        return textAt(input)
      case 'number':
        return maskNumber(input)
      case 'bigint':
        return textAt(String(input))
      case 'boolean':
      case 'undefined':
        return input
      case 'object':
        return input === null ? null : readObject(input, parents)
      default:
        return `[${typeof input}]`
    }
  }

  const maskNumber = (input: number): number | string => {
    if (!Number.isFinite(input)) return String(input)
    // Shorter numbers cannot be card numbers.
    if (Math.abs(input) < 1e12 || !Number.isInteger(input)) return input
    const digits = String(input)
    const masked = maskText(digits)
    return masked === digits ? input : masked
  }

  const readObject = (input: object, parents: readonly object[]): unknown => {
    if (parents.includes(input)) return '[circular]'
    if (parents.length >= depthMax) return '[deep]'
    try {
      return objectAt(input, [...parents, input])
    } catch {
      // A getter or toJSON of the caller's object threw.
      return '[unreadable]'
    }
  }

  const objectAt = (input: object, parents: readonly object[]): unknown => {
    if (input instanceof Error) return errorAt(input, parents)
    if (input instanceof Date) return Number.isNaN(input.getTime()) ? 'Invalid Date' : input.toISOString()
    if (ArrayBuffer.isView(input)) return `[${input.byteLength} bytes]`
    if (Array.isArray(input)) {
      const items = input.slice(0, itemsMax).map((item: unknown) => valueAt(item, parents))
      return input.length > itemsMax ? [...items, `[${input.length - itemsMax} more]`] : items
    }
    if ('toJSON' in input && typeof input.toJSON === 'function') return valueAt(input.toJSON(), parents)
    if (input instanceof Map) return entriesAt([...input.entries()], parents)
    if (input instanceof Set) return valueAt([...input], parents)
    return entriesAt(Object.entries(input), parents)
  }

  const entriesAt = (
    entries: readonly (readonly [unknown, unknown])[],
    parents: readonly object[],
  ): Record<string, unknown> => {
    const output: Record<string, unknown> = {}
    for (const [key, item] of entries.slice(0, itemsMax)) {
      const name = String(key)
      const masked = fieldAt(name, item, parents)
      const maskedName = textAt(name)
      if (maskedName === '__proto__')
        Object.defineProperty(output, maskedName, {
          value: masked,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      else output[maskedName] = masked
    }
    return output
  }

  /** Name, code, message, own fields and the chain of causes; the stack of the outermost error only. */
  const errorAt = (error: Error, parents: readonly object[]): unknown => {
    const {
      name: _name,
      message: _message,
      stack: _stack,
      cause: _cause,
      ...own
    } = error as Error & Record<string, unknown>
    const output: Record<string, unknown> = { name: error.name, message: textAt(error.message) }
    for (const [key, item] of Object.entries(own)) {
      if (item !== undefined) output[key] = fieldAt(key, item, parents)
    }
    if (error instanceof AggregateError) output.errors = valueAt(error.errors, parents)
    if (error.cause !== undefined) output.cause = valueAt(error.cause, parents)
    if (parents.length === 1 && error.stack !== undefined) output.stack = textAt(error.stack)
    return output
  }

  return {
    value: (input: unknown): unknown => valueAt(input, []),
    field: (name: string, input: unknown): unknown => fieldAt(name, input, []),
  }
}
