import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import pg from 'pg'
import {
  CLIENT_TIMEOUT_MESSAGE,
  createQuery,
  type PgClient,
  type PgConnection,
  prepareValue,
  withoutSync,
} from './pg-internals.js'

const { version } = createRequire(import.meta.url)('pg/package.json') as { version: string }

interface Canary {
  readonly member: string
  /** What breaks without it. */
  readonly use: string
  /** Whether pg behaves as expected. Throws when the member is gone. */
  readonly check: () => unknown
}

/** Fails with a sentence that says what to do: an upgrade of pg is what makes it fail. */
async function expectOfPg({ member, use, check }: Canary): Promise<void> {
  const outcome: unknown = await Promise.resolve().then(check).catch(String)
  if (outcome === true) return
  throw new Error(
    `pg ${version} has no ${member} any more, or it behaves differently (${String(outcome)}). ${use} Compare the new version with packages/database/src/pg-internals.ts and adapt that file, or keep the previous version of pg in pnpm-workspace.yaml. docs/decisions/0020-pg-pipeline.md says why private members of pg are used.`,
  )
}

/** A connection that notes which messages are written instead of writing them. */
function recordingConnection() {
  const messages: string[] = []
  const note = (name: string) => () => void messages.push(name)
  const connection = {
    submittedNamedStatements: {} as Record<string, string>,
    parsedStatements: {} as Record<string, string>,
    parse: note('Parse'),
    bind: note('Bind'),
    describe: note('Describe'),
    execute: note('Execute'),
    sync: note('Sync'),
    flush: note('Flush'),
  }
  return { connection: connection as unknown as PgConnection, messages }
}

const types = { getTypeParser: () => (text: string) => `parsed ${text}` }
const rowDescription = { fields: [{ name: 'n', dataTypeID: 23, format: 'text' }] }

const USE = 'PipelineQuery lets it write each statement of a pipeline and map the rows.'

describe("the query class of pg, which writes a statement's messages and maps its rows,", () => {
  it('writes Parse, Bind, Describe and Execute and asks for one Sync, which the pipeline leaves out', async () => {
    const written = (config: pg.QueryConfig, of: (connection: PgConnection) => pg.Connection) => {
      const { connection, messages } = recordingConnection()
      createQuery(config, types).prepare(of(connection))
      return messages.join()
    }
    const config = { text: 'select $1', values: [1] }
    await expectOfPg({
      member: 'Query.prepare(connection)',
      use: USE,
      check: () => written(config, (connection) => connection) === 'Parse,Bind,Describe,Execute,Sync',
    })
    await expectOfPg({
      member: 'call of connection.sync() in Query.prepare(connection)',
      use: USE,
      check: () => written(config, withoutSync) === 'Parse,Bind,Describe,Execute',
    })
  })

  it('notes a statement with a name as submitted, and does not parse a known one again', async () => {
    const { connection, messages } = recordingConnection()
    const query = { name: 'n', text: 'select $1', values: [1] }
    await expectOfPg({
      member: 'connection.submittedNamedStatements',
      use: 'A pipeline that fails deletes the names that the server has not parsed.',
      check: () => {
        createQuery(query, types).prepare(connection)
        return connection.submittedNamedStatements.n === 'select $1'
      },
    })
    await expectOfPg({
      member: 'connection.parsedStatements',
      use: 'A generic plan that is given up is closed and deleted there.',
      check: () => {
        delete connection.submittedNamedStatements.n
        connection.parsedStatements.n = 'select $1'
        messages.length = 0
        createQuery(query, types).prepare(connection)
        return messages.join() === 'Bind,Describe,Execute,Sync'
      },
    })
  })

  it('maps rows by the types that its result is given, and keeps rows, count and command', async () => {
    await expectOfPg({
      member: 'Query._result with _types, rows, rowCount and command',
      use: USE,
      check: () => {
        const query = createQuery({ text: 'select 1' }, types)
        query.handleRowDescription(rowDescription)
        query.handleDataRow({ fields: ['1'] })
        query.handleCommandComplete({ text: 'SELECT 1' }, recordingConnection().connection)
        const { rows, rowCount, command } = query._result
        return JSON.stringify([rows, rowCount, command]) === '[[{"n":"parsed 1"}],1,"SELECT"]'
      },
    })
  })

  it('keeps the error of a row that cannot be parsed', async () => {
    const broken = new Error('no such number')
    const fail = () => {
      throw broken
    }
    await expectOfPg({
      member: 'Query._canceledDueToError',
      use: 'Without it a pipeline would succeed with rows missing.',
      check: () => {
        const query = createQuery({ text: 'select 1' }, { getTypeParser: () => fail })
        const before = query._canceledDueToError
        query.handleRowDescription(rowDescription)
        query.handleDataRow({ fields: ['1'] })
        return before === false && query._canceledDueToError === broken
      },
    })
  })

  it('exports the function that turns values into what is sent', async () => {
    await expectOfPg({
      member: 'utils.prepareValue',
      use: 'Values are prepared before anything is sent, so that a value that cannot be sent fails its call alone.',
      check: () => {
        const bytes = Buffer.from('a')
        const sent = [1n, ['a'], { a: 1 }, null].map((value) => prepareValue(value))
        return prepareValue(bytes) === bytes && JSON.stringify(sent) === JSON.stringify(['1', '{"a"}', '{"a":1}', null])
      },
    })
  })
})

describe('the client of pg, once connected,', () => {
  let test: TestDatabase
  let client: pg.Client
  beforeAll(async () => {
    test = await createTestDatabase()
    client = new pg.Client({ connectionString: test.url })
    client.on('error', () => undefined)
    await client.connect()
  })
  afterAll(async () => {
    await client.end().catch(() => undefined)
    await test.release()
  })

  it('has the address and the key that a cancel request needs', async () => {
    await expectOfPg({
      member: 'Client.host, port, processID and secretKey',
      use: 'cancelOnAbort sends a cancel request with them.',
      check: () => {
        const { host, port, processID, secretKey } = client as unknown as PgClient
        return [typeof host, typeof port, typeof processID, typeof secretKey].join() === 'string,number,number,number'
      },
    })
  })

  it('keeps prepared statements on its connection, which can be corked and can close a statement', async () => {
    const { connection } = client as unknown as { connection: PgConnection }
    await expectOfPg({
      member: 'move of a name from submittedNamedStatements to parsedStatements at ParseComplete',
      use: 'PipelineQuery gives name and text of its current statement for it.',
      check: async () => {
        await client.query({ name: 'one', text: 'select $1::integer as n', values: [1] })
        const { parsedStatements, submittedNamedStatements } = connection
        return parsedStatements.one === 'select $1::integer as n' && !('one' in submittedNamedStatements)
      },
    })
    await expectOfPg({
      member: 'connection.close, connection.sync and connection.stream.cork',
      use: 'A pipeline is written as one packet and ended by one Sync.',
      check: () =>
        [connection.close, connection.sync, connection.stream.cork].every((one) => typeof one === 'function'),
    })
  })

  it('runs an object with a method submit, and hands it the messages and the end', async () => {
    const seen: string[] = []
    const runSubmittable = () =>
      new Promise<void>((resolve, reject) => {
        const submittable = {
          submit: (connection: PgConnection) => {
            createQuery({ text: 'select 1 as n', values: [] }, types).prepare(connection)
            return null
          },
          handleRowDescription: () => void seen.push('description'),
          handleDataRow: () => void seen.push('row'),
          handleCommandComplete: () => void seen.push('complete'),
          handleReadyForQuery: () => submittable.callback(null),
          handleError: (error: Error) => submittable.callback(error),
          callback: (error: Error | null) => (error ? reject(error) : resolve()),
        }
        client.query(submittable as unknown as pg.Submittable)
      })
    await expectOfPg({
      member: 'support for submittable objects',
      use: 'PipelineQuery is one.',
      check: async () => {
        await runSubmittable()
        return seen.join() === 'description,row,complete'
      },
    })
  })

  it('fails with a known message when a statement takes longer than the client waits', async () => {
    await expectOfPg({
      member: `error "${CLIENT_TIMEOUT_MESSAGE}"`,
      use: 'By this message a timeout is told from a lost connection, and the connection is given up.',
      check: async () => {
        const impatient = new pg.Client({ connectionString: test.url, query_timeout: 100 })
        impatient.on('error', () => undefined)
        await impatient.connect()
        const error: unknown = await impatient.query('select pg_sleep(60)').catch((caught: unknown) => caught)
        await client.query('select pg_terminate_backend($1, 30000)', [(impatient as unknown as PgClient).processID])
        return error instanceof Error && error.message === CLIENT_TIMEOUT_MESSAGE
      },
    })
  })
})
