import type { Queryable } from '../statement.js'
import { toDatabaseError } from '../to-database-error.js'

/** Figures of pg_stat_statements for one statement of this database. */
export interface StatementUse {
  /** Normalised by the server: $n in place of values. */
  readonly query: string
  readonly calls: number
  readonly mean_ms: number
  readonly max_ms: number
  readonly total_ms: number
  /** Share of the time of all statements of this database. */
  readonly share: number
  readonly rows_per_call: number
  /** Pages read for each row returned or changed. */
  readonly pages_per_row: number
  /** Share of these pages that were in the server's memory. */
  readonly hit_share: number
}

const STATEMENTS = `
  select query, calls::float8 as calls, mean_exec_time as mean_ms, max_exec_time as max_ms, total_exec_time as total_ms,
    total_exec_time / greatest(sum(total_exec_time) over (), 0.001) as share, rows::float8 / calls as rows_per_call,
    (shared_blks_hit + shared_blks_read)::float8 / greatest(rows, 1) as pages_per_row,
    coalesce(shared_blks_hit::float8 / nullif(shared_blks_hit + shared_blks_read, 0), 1) as hit_share
  from pg_stat_statements
  where dbid = (select oid from pg_database where datname = current_database()) and calls > 0 and query not like '%millrace_advice%'
  order by total_exec_time desc limit $1`

/** A sentence that says why there are no figures and what to do. */
export type Missing = string

/** The statements that took the most time, or why they are not known. Creates the extension if it is loaded and the user may. */
export async function readStatements(database: Queryable, limit: number): Promise<StatementUse[] | Missing> {
  const { rows } = await database.query<{ libraries: string; is_available: boolean }>(
    `select current_setting('shared_preload_libraries') as libraries,
       exists (select from pg_available_extensions where name = 'pg_stat_statements') as is_available`,
  )
  if (rows[0]?.is_available !== true)
    return 'pg_stat_statements is not installed on this server: install the contrib package of PostgreSQL (Debian has it in postgresql-NN)'
  if (!rows[0].libraries.includes('pg_stat_statements')) {
    return "pg_stat_statements is not loaded: set shared_preload_libraries = 'pg_stat_statements' and restart the server; the one that npm start runs has it"
  }
  try {
    await database.query('create extension if not exists pg_stat_statements')
    return (await database.query<StatementUse>(STATEMENTS, [limit])).rows
  } catch (error) {
    return `pg_stat_statements cannot be read (${toDatabaseError(error).message}): as a superuser run "create extension pg_stat_statements; grant pg_read_all_stats to <user>"`
  }
}
