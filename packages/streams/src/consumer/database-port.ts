/** The part of `@millrace/database` that consumers need; its `Database` fits. */
export interface SqlStatement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Name of the prepared statement; it is prepared once a connection. */
  readonly name?: string
}

/** Runs statements one by one. */
export interface SqlClient {
  query<Row = Record<string, unknown>>(
    statement: string | SqlStatement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>
}

/** An open transaction. */
export interface SqlTransaction extends SqlClient {
  /** Sends the statement with COMMIT in one round trip; an error of it fails the transaction. */
  atCommit(statement: SqlStatement): void
}

/** A connection of its own, on which transactions follow each other. */
export interface SqlConnection<Tx extends SqlTransaction> extends SqlClient {
  /** Begins, runs `work`, commits; rolls back when it throws. Never retries. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** What the stream engine needs of PostgreSQL, so that it does not depend on a driver. */
export interface StreamDatabase<Tx extends SqlTransaction> extends SqlClient {
  connection(options?: { applicationName?: string }): Promise<SqlConnection<Tx>>
}
