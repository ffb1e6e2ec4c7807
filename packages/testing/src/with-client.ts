import pg from 'pg'

/**
 * Runs `work` on a connection to PostgreSQL that is ended afterwards. When the server ends the connection, the statement under way fails: without the
 * listener below, the loss would be an uncaught error that names no statement.
 */
export async function withClient<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end().catch(() => undefined)
  }
}
