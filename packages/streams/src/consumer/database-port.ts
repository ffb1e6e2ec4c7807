/** The part of `@millrace/database` that consumers need; its `Database` fits. */
export interface SqlStatement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Name of the prepared statement; it is prepared once a connection. */
  readonly name?: string
}

export interface SqlClient {
  query<Row = Record<string, unknown>>(
    statement: string | SqlStatement,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number }>
}

export interface SqlTransaction extends SqlClient {
  /** Sends the statement with COMMIT in one round trip; an error of it fails the transaction. */
  atCommit(statement: SqlStatement): void
}

export interface SqlConnection<Tx extends SqlTransaction> extends SqlClient {
  /** Begins, runs `work`, commits; rolls back when it throws. Never retries. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface StreamDatabase<Tx extends SqlTransaction> extends SqlClient {
  connection(options?: { applicationName?: string }): Promise<SqlConnection<Tx>>
}
