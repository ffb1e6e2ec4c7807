/**
 * The parameters of a statement under construction. Values that a caller sent are added here and never become part of
 * the text.
 */
export class SqlValues {
  readonly list: unknown[] = []

  /** Adds a value and returns its placeholder, with a cast when `type` is given. */
  add(value: unknown, type?: string): string {
    this.list.push(value)
    return type === undefined ? `$${this.list.length}` : `$${this.list.length}::${type}`
  }
}

/** Adds a time in ms and returns its placeholder. */
export function instant(values: SqlValues, ms: number): string {
  return values.add(new Date(ms).toISOString(), 'timestamptz')
}
