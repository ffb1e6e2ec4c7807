import { connect } from 'node:net'
import pg from 'pg'

/** The oldest major version that the statements run on. */
const MAJOR_MIN = 15
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
/** For each step. A server far away, or on a busy machine, may need a second. */
const TIMEOUT_MS = 3000

/**
 * What was found at the address of a database. `unreachable` may pass by itself, as when the server is still starting; `wrong` needs a person. `problem` is a
 * sentence with the remedy, without a password.
 */
export type DatabaseState =
  | { readonly kind: 'ok' }
  | { readonly kind: 'unreachable' | 'wrong'; readonly problem: string }

export interface DatabaseCheck {
  /** Name of the setting with the URL, for the sentence. */
  readonly setting: string
  /** Whether the user must be allowed to create schemas and tables. Default false. */
  readonly migrates?: boolean
}

/** Connects once, and looks at the version and, if asked, at the rights. A server that does not answer is given up after 3.6 s. */
export async function checkDatabase(url: string, { setting, migrates = false }: DatabaseCheck): Promise<DatabaseState> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: TIMEOUT_MS,
    query_timeout: TIMEOUT_MS,
  })
  // Without a listener an error after the last statement would end the process.
  client.on('error', () => undefined)
  const place = client.host.startsWith('/') ? `the socket in ${client.host}` : `${client.host}:${client.port}`
  const facts = { setting, place, user: client.user ?? '', database: client.database ?? '' }
  const socket = client.host.startsWith('/') ? `${client.host}/.s.PGSQL.${client.port}` : undefined
  const first = await probe(socket === undefined ? { host: client.host, port: client.port } : { path: socket })
  if (first !== 'postgres') return explainSocket(first, facts)
  try {
    await client.connect()
    return (await findFault(client, facts, migrates)) ?? { kind: 'ok' }
  } catch (error) {
    return explainRefusal(error as Error & { code?: string }, facts)
  } finally {
    await client.end().catch(() => undefined)
  }
}

interface Facts {
  readonly setting: string
  readonly place: string
  readonly user: string
  readonly database: string
}

type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/**
 * Asks for TLS, which every PostgreSQL server answers with one letter. A server that waits for the end of a line may be another one, so it is sent a line.
 * Resolves with "postgres", "other", "silent", or the code of the error.
 */
async function probe(address: Address): Promise<string> {
  const answer = await askServer(address, SSL_REQUEST, TIMEOUT_MS)
  if (/^[SNE]/.test(answer.data ?? '')) return 'postgres'
  if (answer.data !== undefined) return 'other'
  if (answer.code !== undefined) return answer.code
  const second = await askServer(address, Buffer.from('PING\r\n'), TIMEOUT_MS / 5)
  return second.data === undefined ? 'silent' : 'other'
}

interface Answer {
  /** Empty when the server closed the connection; undefined when it sent nothing. */
  readonly data?: string
  /** Of the error of the socket. */
  readonly code?: string
}

function askServer(address: Address, request: Buffer, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect(address, () => socket.write(request))
    const finish = (answer: Answer) => {
      socket.destroy()
      resolve(answer)
    }
    // Not setTimeout of the socket: it does not cover the search for the host.
    const timer = setTimeout(() => finish({}), timeoutMs)
    socket.once('data', (data) => finish({ data: data.toString('latin1') }))
    socket.once('error', (error: NodeJS.ErrnoException) => finish({ code: error.code ?? error.message }))
    socket.once('close', () => {
      clearTimeout(timer)
      finish({ data: '' })
    })
  })
}

function explainSocket(found: string, { setting, place }: Facts): DatabaseState {
  const names = `${setting} names ${place}`
  if (found === 'other')
    return {
      kind: 'wrong',
      problem: `${names}, where a program other than PostgreSQL answers: correct the host and the port`,
    }
  if (found === 'ENOTFOUND' || found === 'EAI_AGAIN')
    return { kind: 'unreachable', problem: `${names}, and there is no host of this name: correct the host` }
  if (found === 'ECONNREFUSED' || found === 'ENOENT')
    return {
      kind: 'unreachable',
      problem: `${names}, where nothing listens: start PostgreSQL, or correct the host and the port`,
    }
  const what = found === 'silent' ? `gives no answer within ${TIMEOUT_MS / 1000} s` : `cannot be reached (${found})`
  return { kind: 'unreachable', problem: `${names}, which ${what}: check the server and the network` }
}

function explainRefusal(error: Error & { code?: string }, { setting, place, user, database }: Facts): DatabaseState {
  const wrong = (problem: string): DatabaseState => ({ kind: 'wrong', problem })
  switch (error.code) {
    case '28P01':
      return wrong(
        `PostgreSQL at ${place} refuses the password of the user ${user}: correct the user and the password in ${setting}`,
      )
    case '28000':
      return wrong(
        `PostgreSQL at ${place} does not let in the user ${user}: create the user, allow it in pg_hba.conf, or correct ${setting}`,
      )
    case '3D000':
      return wrong(`PostgreSQL at ${place} has no database ${database}: create it, or correct ${setting}`)
    default:
      return /password/i.test(error.message)
        ? wrong(`PostgreSQL at ${place} wants a password for the user ${user}: add it to ${setting}`)
        : {
            kind: 'unreachable',
            problem: `PostgreSQL at ${place} (${setting}) takes no connection now: ${error.message}`,
          }
  }
}

async function findFault(client: pg.Client, facts: Facts, migrates: boolean): Promise<DatabaseState | undefined> {
  const { setting, place, user, database } = facts
  const sql = `select current_setting('server_version') as version, current_setting('server_version_num')::int / 10000 as major,
    has_database_privilege(current_database(), 'create') and coalesce(has_schema_privilege(current_schema(), 'create'), false) as "mayCreate"`
  const { rows } = await client.query<{ version: string; major: number; mayCreate: boolean }>(sql)
  const [found] = rows
  if (found !== undefined && found.major < MAJOR_MIN)
    return {
      kind: 'wrong',
      problem: `PostgreSQL at ${place} (${setting}) is version ${found.version}: Millrace needs ${MAJOR_MIN} or newer`,
    }
  if (migrates && found?.mayCreate === false)
    return {
      kind: 'wrong',
      problem: `the user ${user} may not create tables in the database ${database} at ${place} (${setting}): make it the owner of the database, or grant CREATE on the database and on the schema public`,
    }
  return undefined
}
