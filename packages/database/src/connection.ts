import type { MillraceError } from '@millrace/contracts'
import pg from 'pg'
import { databaseErrors } from './errors.js'
import { destroySocket } from './pg-internals.js'
import { Session, type SessionDeps } from './session.js'
import { type Queryable, type Result, type Statement, toStatement } from './statement.js'
import { isClientTimeout, toDatabaseError } from './to-database-error.js'
import { OpenTransaction, type Transaction, type TransactionOptions, toTransactionError } from './transaction.js'

/** A connection outside the pool, for long-lived writers. It never retries and never reconnects; a lost one must be replaced. */
export interface Connection extends Queryable {
  /** One at a time: a second call would become part of the first transaction, so it is refused. */
  transaction<T>(fn: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Calls the handler for each NOTIFY on the channel until the connection ends. */
  listen(channel: string, handler: (payload: string) => void): Promise<void>
  readonly isLost: boolean
  /** Resolves when the connection has ended, also by `close`. Never rejects. */
  readonly lost: Promise<MillraceError>
  close(): Promise<void>
}

/** @throws databaseErrors.DATABASE_UNAVAILABLE */
export async function openConnection(config: pg.ClientConfig, deps: SessionDeps): Promise<Connection> {
  const client = new pg.Client(config)
  const connection = new ClientConnection(client, deps)
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => undefined)
    throw toDatabaseError(error)
  }
  return connection
}

class ClientConnection implements Connection {
  readonly #client: pg.Client
  readonly #session: Session
  readonly lost: Promise<MillraceError>
  #isLost = false
  #isBusy = false

  constructor(client: pg.Client, deps: SessionDeps) {
    this.#client = client
    this.#session = new Session(client, deps)
    this.lost = new Promise((resolve) => {
      const lose = (error: unknown) => {
        this.#isLost = true
        resolve(toDatabaseError(error))
      }
      client.on('error', lose)
      client.on('end', () => lose(databaseErrors.DATABASE_UNAVAILABLE({ message: 'the connection has ended' })))
    })
  }

  get isLost(): boolean {
    return this.#isLost
  }

  query<Row>(statement: string | Statement, values?: readonly unknown[]): Promise<Result<Row>> {
    return this.#endAfterTimeout(this.#session.query(toStatement(statement, values)))
  }

  async transaction<T>(fn: (transaction: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    if (this.#isBusy)
      throw databaseErrors.DATABASE_STATEMENT_ERROR({ message: 'the connection already has an open transaction' })
    this.#isBusy = true
    const transaction = new OpenTransaction(this.#session, options)
    try {
      return await this.#endAfterTimeout(transaction.run(fn))
    } catch (error) {
      throw toTransactionError(error, transaction)
    } finally {
      this.#isBusy = false
    }
  }

  async listen(channel: string, handler: (payload: string) => void): Promise<void> {
    this.#client.on('notification', (message) => {
      if (message.channel === channel) handler(message.payload ?? '')
    })
    await this.query(`listen ${pg.escapeIdentifier(channel)}`)
  }

  async close(): Promise<void> {
    if (!this.#isLost) await this.#client.end()
  }

  /** After the client's timeout an answer may still arrive and would be taken for that of the next statement, so the connection is ended. */
  async #endAfterTimeout<T>(running: Promise<T>): Promise<T> {
    try {
      return await running
    } catch (error) {
      if (isClientTimeout(error)) destroySocket(this.#client)
      throw error
    }
  }
}
