import type { Queryable } from '../statement.js'

/** Pages that statements of this database have read since the last reset of statistics. */
export interface PageCounts {
  /** Found in the server's memory. */
  readonly hits: number
  /** Read from the operating system, which may have cached them. */
  readonly reads: number
}

/** Pages that were found in memory and pages that were read, for the whole database. */
export async function readPageCounts(database: Queryable): Promise<PageCounts> {
  const { rows } = await database.query<PageCounts>(
    'select blks_hit::float8 as hits, blks_read::float8 as reads from pg_stat_database where datname = current_database()',
  )
  return rows[0] ?? { hits: 0, reads: 0 }
}
