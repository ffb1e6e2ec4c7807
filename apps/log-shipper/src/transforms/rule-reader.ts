import { type FieldPath, READ_ONLY_FIELDS, TEXT_FIELDS } from './editable-line.js'
import type { RuleFaults } from './rule-faults.js'

/** The fields of an object of the document, with the place of each for the messages about mistakes. */
export class ObjectReader {
  readonly #value: Readonly<Record<string, unknown>>
  readonly #faults: RuleFaults
  readonly at: string

  private constructor(value: Readonly<Record<string, unknown>>, at: string, faults: RuleFaults) {
    this.#value = value
    this.at = at
    this.#faults = faults
  }

  /** Notes a mistake, and returns undefined, when the value is no object, or has a name that is not one of `known`. */
  static of(value: unknown, at: string, known: readonly string[], faults: RuleFaults): ObjectReader | undefined {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return faults.add(at, `must be an object with ${known.join(', ')}`)
    const unknown = Object.keys(value).find((name) => !known.includes(name))
    if (unknown !== undefined)
      return faults.add(join(at, unknown.slice(0, 100)), `is unknown; the fields are ${known.join(', ')}`)
    return new ObjectReader(value as Record<string, unknown>, at, faults)
  }

  has(name: string): boolean {
    return this.#value[name] !== undefined
  }

  raw(name: string): unknown {
    return this.#value[name]
  }

  place(name: string): string {
    return join(this.at, name)
  }

  fault(name: string, message: string, position?: number): undefined {
    return this.#faults.add(this.place(name), message, position)
  }

  text(name: string, lengthMax = 1024): string | undefined {
    const value = this.#value[name]
    if (typeof value !== 'string' || value === '') return this.fault(name, 'must be a text that is not empty')
    return value.length > lengthMax ? this.fault(name, `must have at most ${lengthMax} characters`) : value
  }

  /** `false` when it is absent. */
  flag(name: string): boolean {
    const value = this.#value[name]
    if (value === undefined || typeof value === 'boolean') return value ?? false
    this.fault(name, 'must be true or false')
    return false
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#value[name]
    const found = choices.find((choice) => choice === value)
    return found ?? this.fault(name, `must be one of ${choices.join(', ')}`)
  }

  /** A text or a list of texts. */
  texts(name: string, itemsMax = 1000): readonly string[] | undefined {
    const value = this.#value[name]
    const items: unknown = typeof value === 'string' ? [value] : value
    const isList = Array.isArray(items) && items.length > 0 && items.length <= itemsMax
    if (!isList || !items.every((item) => typeof item === 'string' && item !== '' && item.length <= 1024))
      return this.fault(name, `must be a text, or a list of 1 to ${itemsMax} texts`)
    return items as string[]
  }

  /** The name of a field of a line. `isWritten`: the rule changes it. */
  field(name: string, { isWritten = false }: { isWritten?: boolean } = {}): FieldPath | undefined {
    const text = this.text(name, 256)
    if (text === undefined) return undefined
    const field = parseField(text)
    if (typeof field === 'string') return this.fault(name, field)
    if (isWritten && field.kind === 'read_only')
      return this.fault(
        name,
        `the field ${text} cannot be written; use the step ${text === 'time' ? 'time' : 'severity'}`,
      )
    return field
  }
}

const ATTRIBUTES = 'attributes.'
const DEPTH_MAX = 32

/** The field that a name stands for, or what is wrong with the name. */
export function parseField(text: string): FieldPath | string {
  const own = TEXT_FIELDS.find((name) => name === text)
  if (own !== undefined) return { kind: 'text', name: own }
  const readOnly = READ_ONLY_FIELDS.find((name) => name === text)
  if (readOnly !== undefined) return { kind: 'read_only', name: readOnly }
  if (text.startsWith(ATTRIBUTES)) {
    const path = text.slice(ATTRIBUTES.length)
    const parts = path.split('.')
    return path === '' || parts.length > DEPTH_MAX
      ? `must name an attribute by at most ${DEPTH_MAX} parts, such as attributes.http.status`
      : { kind: 'attribute', path, parts }
  }
  const all = [...TEXT_FIELDS, ...READ_ONLY_FIELDS].join(', ')
  return `is not a field of a line; those are ${all} and attributes.NAME. Did you mean attributes.${text.slice(0, 100)}?`
}

function join(at: string, name: string): string {
  return at === '' ? name : `${at}.${name}`
}
