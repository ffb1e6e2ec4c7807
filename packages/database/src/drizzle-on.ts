import { NoopCache } from 'drizzle-orm/cache/core'
import { NoopLogger } from 'drizzle-orm/logger'
import { PgDialect, type PreparedQueryConfig } from 'drizzle-orm/pg-core'
import { PgRemoteDatabase, PgRemoteSession, PreparedQuery, type RemoteCallback } from 'drizzle-orm/pg-proxy'
import type { Queryable, Statement } from './statement.js'

export { and, desc, eq, gt, inArray, isNull, lt, or, type SQL, sql } from 'drizzle-orm'

/** Typed queries over the tables of `src/schema`. */
export type Drizzle = PgRemoteDatabase

/**
 * Runs drizzle's queries by the given database, connection or transaction, as any other statement: with tracing, the slow query log, the watch for
 * repeated statements, retries and `databaseErrors`. A query with a name is prepared once for each connection. To query in a
 * transaction, pass the `Transaction`.
 */
export function drizzleOn(queryable: Queryable): Drizzle {
  return new PgRemoteDatabase(dialect, new StatementSession(queryable), undefined)
}

const dialect = new PgDialect()
const logger = new NoopLogger()
const cache = new NoopCache()

class StatementSession extends PgRemoteSession<Record<string, never>, Record<string, never>> {
  readonly #queryable: Queryable

  constructor(queryable: Queryable) {
    super(runBy(queryable, undefined), dialect, undefined)
    this.#queryable = queryable
  }

  override prepareQuery<T extends PreparedQueryConfig>(
    ...args: Parameters<PgRemoteSession<Record<string, never>, Record<string, never>>['prepareQuery']>
  ): PreparedQuery<T> {
    const [query, fields, name, isResponseInArrayMode, customResultMapper, metadata, cacheConfig] = args
    return new StatementQuery<T>(
      runBy(this.#queryable, name),
      query.sql,
      query.params,
      query.typings,
      logger,
      cache,
      metadata,
      cacheConfig,
      fields,
      isResponseInArrayMode,
      customResultMapper,
    )
  }
}

class StatementQuery<T extends PreparedQueryConfig> extends PreparedQuery<T> {
  override async execute(placeholderValues?: Record<string, unknown>): Promise<T['execute']> {
    try {
      return await super.execute(placeholderValues)
    } catch (error) {
      // drizzle's own error quotes the parameters, which may be personal data; its cause is the error of the statement.
      throw error instanceof Error && error.cause instanceof Error ? error.cause : error
    }
  }
}

function runBy(queryable: Queryable, name: string | undefined): RemoteCallback {
  return async (text, values, method) => {
    const statement: Statement = {
      text,
      values,
      ...(name !== undefined && { name }),
      ...(method === 'all' && { rowMode: 'array' }),
    }
    const { rows } = await queryable.query(statement)
    return { rows }
  }
}
