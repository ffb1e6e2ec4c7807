import { waitFor } from '@millrace/local-stack'
import { hold } from './leaks.js'
import { askForServer } from './server-broker.js'
import { withClient } from './with-client.js'

export interface TestDatabase {
  readonly url: string
  readonly name: string
  /**
   * Drops the database.
   * @throws when connections to it are still open after `graceMs` (default 10,000), naming what they did last; it is dropped all the same.
   */
  release(graceMs?: number): Promise<void>
}

export interface TestDatabaseOptions {
  /** Given the URL of the new, empty database. */
  migrate?: ((url: string) => Promise<unknown>) | undefined
}

let counter = 0

/** A fresh database on the server of this test run, for one test file or one test. */
export async function createTestDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = await askForServer('postgres')
  const name = `test_${process.pid}_${server.grant}_${++counter}`
  await withClient(server.url, (admin) => admin.query(`create database ${name}`))
  const url = new URL(server.url)
  url.pathname = `/${name}`
  const release = hold(`database ${name}`, (graceMs?: number) => drop(server.url, name, graceMs))
  const database = { url: url.href, name, release }
  try {
    await options.migrate?.(database.url)
  } catch (error) {
    await release().catch(() => {})
    throw error
  }
  return database
}

interface OpenConnection {
  query: string
  /** What the connection does at present, what it waits for, and for how long. */
  doing: string
}

const OPEN_CONNECTIONS = `select query, concat_ws(', ', application_name, state, 'waits for ' || wait_event,
    round(extract(epoch from clock_timestamp() - state_change)::numeric, 1) || ' s') as doing
  from pg_stat_activity where datname = $1 and backend_type = 'client backend'`

async function drop(serverUrl: string, name: string, graceMs = 10_000): Promise<void> {
  await withClient(serverUrl, async (admin) => {
    let open: OpenConnection[] = []
    const isUnused = async () => {
      open = (await admin.query<OpenConnection>(OPEN_CONNECTIONS, [name])).rows
      return open.length === 0
    }
    await waitFor(isUnused, { deadlineMs: graceMs }).catch(() => {})
    await admin.query(`drop database ${name} with (force)`)
    if (open.length === 0) return
    const last = open.map(({ query, doing }) => `${query.slice(0, 80) || '(no statement)'} (${doing})`).join('; ')
    throw new Error(`${open.length} connections to ${name} were left open; their last statements: ${last}`)
  })
}
