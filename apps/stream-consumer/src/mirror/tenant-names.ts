import type { Queryable } from '@millrace/database'

/** The names of tenants, read once each. A tenant without a row has its id as name. */
export class TenantNames {
  readonly #database: Queryable
  readonly #names = new Map<number, string>()

  constructor(database: Queryable) {
    this.#database = database
  }

  /** Loads the names of these tenants that are not known yet. */
  async load(ids: Iterable<number>): Promise<void> {
    const unknown = [...new Set(ids)].filter((id) => !this.#names.has(id))
    if (unknown.length === 0) return
    const { rows } = await this.#database.query<{ id: number; name: string }>(
      'select id, name from tenants where id = any ($1::integer[])',
      [unknown],
    )
    for (const { id, name } of rows) this.#names.set(id, name)
  }

  of(id: number): string {
    return this.#names.get(id) ?? String(id)
  }
}
