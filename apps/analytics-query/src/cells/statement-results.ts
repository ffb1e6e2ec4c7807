import type { Result, Statement } from '@millrace/database'

/** Results of one snapshot by their statement. */
export class StatementResults {
  readonly #results = new Map<Statement, Result>()
  /**
   * The same results by text and values; made when a statement is looked up that is not the same object as a statement
   * that ran.
   */
  #equal: Map<string, Result> | undefined

  add(statements: readonly Statement[], results: readonly Result[]): void {
    this.#equal = undefined
    for (const [index, statement] of statements.entries()) {
      const result = results[index]
      if (result !== undefined) this.#results.set(statement, result)
    }
  }

  find(statement: Statement): Result | undefined {
    const result = this.#results.get(statement)
    if (result !== undefined || this.#results.size === 0) return result
    this.#equal ??= new Map(Array.from(this.#results, ([asked, answer]) => [keyOf(asked), answer]))
    return this.#equal.get(keyOf(statement))
  }
}

function keyOf({ text, values }: Statement): string {
  return JSON.stringify([text, values], (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}
