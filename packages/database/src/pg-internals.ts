import pg from 'pg'

/**
 * All that this package uses of pg beyond its documented interface, in one place, because an upgrade may change it without notice. pg-internals.test.ts
 * checks each member; docs/decisions/0020 says why they are needed.
 */

/** The query class: writes the messages of one statement and maps its rows. */
export interface PgQuery {
  readonly text: string
  name?: string
  readonly _result: { _types: unknown; rows: unknown[]; rowCount: number | null; command: string }
  /** Set when a row could not be parsed. */
  _canceledDueToError: Error | false
  /** Writes Parse (unless the name is known to the connection), Bind, Describe and Execute, then calls `sync` once. */
  prepare(connection: pg.Connection): void
  handleRowDescription(message: unknown): void
  handleDataRow(message: unknown): void
  handleCommandComplete(message: unknown, connection: pg.Connection): void
}

/** The connection: pg's client keeps the prepared statements here, by name with their text. */
export interface PgConnection extends pg.Connection {
  /** Parse was sent, ParseComplete has not come yet. */
  readonly submittedNamedStatements: Record<string, string>
  readonly parsedStatements: Record<string, string>
  close(message: { type: 'S'; name: string }): void
}

/** The client, once connected. */
export interface PgClient {
  /** A directory when the connection is a Unix socket. */
  readonly host: string
  readonly port: number
  readonly processID: number | null
  readonly secretKey: number | null
}

/** A value as pg sends it: text or bytes. */
export const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): string | Buffer | null } })
  .utils

/** `types` maps values from their OIDs; pg's client would set it only for queries that it makes itself. */
export function createQuery(config: pg.QueryConfig, types: unknown): PgQuery {
  const query = new pg.Query(config) as unknown as PgQuery
  query._result._types = types
  return query
}

/** The same connection, for `prepare`, without the Sync that would end the pipeline. */
export function withoutSync(connection: PgConnection): pg.Connection {
  return Object.create(connection, { sync: { value: () => undefined } }) as pg.Connection
}

/** Ends the connection at once, without telling the server; its running statement fails with the error. */
export function destroySocket(client: pg.ClientBase, error?: Error): void {
  const { connection } = client as unknown as { connection: pg.Connection }
  connection.stream.destroy(error)
}

/** The message of the error by which pg's client says that `query_timeout` has passed. */
export const CLIENT_TIMEOUT_MESSAGE = 'Query read timeout'
