import type { Queryable } from '@millrace/database'

/**
 * The tables of one job for its valid records. They are not in the WAL: PostgreSQL empties them when it restarts after a crash, and then they are filled again from
 * the source.
 */
export class StagingTable {
  /** record, line, and a text for each mapped column. */
  readonly name: string
  /** Numbers of records that are not loaded. */
  readonly excluded: string
  readonly columns: readonly string[]

  constructor(jobId: string, columns: readonly string[]) {
    this.name = `import_staging_${jobId}`
    this.excluded = `import_excluded_${jobId}`
    this.columns = columns
  }

  /** Empty tables, whatever was there. */
  async create(database: Queryable): Promise<void> {
    await this.drop(database)
    const columns = this.columns.map((name) => `${quote(name)} text`).join(', ')
    await database.query(
      `create unlogged table ${this.name} (record bigint not null, line bigint not null, ${columns})`,
    )
    await database.query(`create unlogged table ${this.excluded} (record bigint primary key)`)
  }

  async drop(database: Queryable): Promise<void> {
    await database.query(`drop table if exists ${this.name}, ${this.excluded}`)
  }

  /** Whether the tables are there and have as many rows as were written. */
  async isIntact(database: Queryable, rows: number): Promise<boolean> {
    const { rows: tables } = await database.query<{ count: bigint }>(
      'select count(*) from pg_class where relname = any ($1) and pg_table_is_visible(oid)',
      [[this.name, this.excluded]],
    )
    if (tables[0]?.count !== 2n) return false
    if (rows === 0) return true
    // PostgreSQL empties both or none.
    const found = await database.query(`select from ${this.name} limit 1`)
    return found.rowCount === 1
  }

  async countBlocks(database: Queryable): Promise<number> {
    const { rows } = await database.query<{ blocks: bigint }>(
      "select pg_relation_size($1::regclass) / current_setting('block_size')::bigint as blocks",
      [this.name],
    )
    return Number(rows[0]?.blocks ?? 0)
  }
}

/** Names of columns are from the code, and quoted because some are words of SQL. */
export const quote = (name: string): string => `"${name}"`
