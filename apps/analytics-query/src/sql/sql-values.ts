/** The values of a statement under construction: nothing that a caller sent ever becomes part of its text. */
export class SqlValues {
  readonly list: unknown[] = []

  /** Adds a value and returns its placeholder, with a cast when `type` is given. */
  add(value: unknown, type?: string): string {
    this.list.push(value)
    return type === undefined ? `$${this.list.length}` : `$${this.list.length}::${type}`
  }
}

/** A statement's placeholder for an instant in ms. */
export function instant(values: SqlValues, ms: number): string {
  return values.add(new Date(ms).toISOString(), 'timestamptz')
}
