import { isMillraceError } from '@millrace/contracts'
import { type Logger, silentLogger } from '@millrace/logger'
import { createRetry, isRetryable, type PendingAnswer } from '@millrace/resilience'
import type pg from 'pg'
import { cancelOnAbort } from './cancel-statement.js'
import { databaseErrors } from './errors.js'
import { Session, type SessionDeps } from './session.js'
import { type Queryable, type Result, type Statement, toStatement } from './statement.js'
import { ReaderRole, tenantPreamble } from './tenant-isolation.js'
import { isClientTimeout, toDatabaseError } from './to-database-error.js'
import { OpenTransaction, type Transaction, type TransactionOptions, toTransactionError } from './transaction.js'

/** Runs statements on the connections of a pool. */
export interface PoolReader extends Queryable {
  /**
   * Begins with the first statement, commits when `fn` returns, rolls back when it throws. After a conflict or a lost connection `fn` is run again from its
   * start, so it must be repeatable. It is never run again once COMMIT was sent.
   */
  transaction<T>(fn: (transaction: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** A read-only transaction that sees only the rows of one tenant: row level security applies even when a statement forgets its filter. */
  withTenant<T>(
    tenantId: number,
    fn: (transaction: Transaction) => Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
}

/** Attempts and limits of a pool. */
export interface PooledDatabaseConfig {
  /** Maximum attempts, the first one included. */
  readonly attempts: number
}

/** What a pool reports to. */
export interface PooledDatabaseDeps extends SessionDeps {
  readonly logger?: Logger | undefined
  /** How long callers wait for a connection. */
  readonly wait?: { observe(seconds: number): void } | undefined
}

/** Runs statements on pg's pool, with retries, cancellation and tenant isolation. */
export class PooledDatabase implements PoolReader {
  readonly #pool: pg.Pool
  readonly #config: PooledDatabaseConfig
  readonly #deps: PooledDatabaseDeps
  readonly #depsWithoutDetector: SessionDeps
  readonly #readerRole: ReaderRole

  constructor(pool: pg.Pool, config: PooledDatabaseConfig, deps: PooledDatabaseDeps) {
    this.#pool = pool
    this.#config = config
    this.#deps = deps
    this.#depsWithoutDetector = { ...deps, detectRepeats: undefined }
    this.#readerRole = new ReaderRole(deps.logger ?? silentLogger)
  }

  /** A select is retried when its connection is lost. Other statements are not, because they may have taken effect. */
  async query<Row>(statement: string | Statement, values?: readonly unknown[]): Promise<Result<Row>> {
    const step = toStatement(statement, values)
    // Not in the session, because its stack trace no longer contains the caller.
    this.#deps.detectRepeats?.([step])
    let isSent = false
    const run = () =>
      this.#withSession(this.#depsWithoutDetector, (session) => {
        isSent = true
        return session.query<Row>(step)
      })
    const mayRetry = (error: unknown) =>
      this.#deps.watch.outage === undefined &&
      isRetryable(error) &&
      !isClientTimeout(error) &&
      (!isSent || /^\s*select\b/i.test(step.text) || databaseErrors.DATABASE_CONFLICT.matches(error))
    return await this.#retry(run, mayRetry)
  }

  transaction<T>(fn: (transaction: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    return this.#transaction(fn, options)
  }

  async withTenant<T>(
    tenantId: number,
    fn: (transaction: Transaction) => Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const hasRole = await this.#readerRole.isGranted(this)
    return await this.#transaction(fn, { readOnly: true, ...options }, tenantPreamble(tenantId, hasRole))
  }

  #transaction<T>(
    fn: (transaction: Transaction) => Promise<T>,
    options: TransactionOptions,
    preamble: readonly Statement[] = [],
  ): Promise<T> {
    const { signal } = options
    const use = async (session: Session) => {
      const transaction = new OpenTransaction(session, options, preamble)
      try {
        return await transaction.run(fn)
      } catch (error) {
        throw toTransactionError(error, transaction)
      }
    }
    const mayRetry = (error: unknown) => this.#deps.watch.outage === undefined && isTransient(error)
    return this.#retry(() => this.#withSession(this.#deps, use, signal), mayRetry)
  }

  #retry<T>(run: () => Promise<T>, mayRetry: (error: unknown) => boolean): Promise<T> {
    return createRetry({ attempts: Math.max(1, this.#config.attempts), isRetryable: mayRetry }).execute(run)
  }

  /** A connection of the pool. Fails at once when the server is found not to answer meanwhile. */
  async #connect(): Promise<pg.PoolClient> {
    const { watch } = this.#deps
    let lose: PendingAnswer['lose'] = () => undefined
    const lost = new Promise<never>((_resolve, reject) => {
      lose = reject
    })
    const wait = { lose }
    watch.begin(wait)
    const connecting = this.#pool.connect()
    try {
      const client = await Promise.race([connecting, lost])
      watch.end(wait, false)
      return client
    } catch (error) {
      watch.end(wait, false)
      // The connection may still be made: it goes to the next caller.
      if (watch.outage !== undefined) connecting.then((late) => late.release()).catch(() => undefined)
      else if (!(error instanceof Error && CONNECT_TIMEOUT.test(error.message))) watch.noteRefusal()
      throw toDatabaseError(error)
    }
  }

  async #withSession<T>(deps: SessionDeps, use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted()
    const startedAt = performance.now()
    let client: pg.PoolClient
    try {
      client = await this.#connect()
    } finally {
      this.#deps.wait?.observe((performance.now() - startedAt) / 1000)
    }
    const endCancelling = cancelOnAbort(client, signal)
    try {
      const value = await use(new Session(client, deps))
      client.release(endCancelling())
      return value
    } catch (error) {
      client.release(endCancelling() || isClientTimeout(error) || databaseErrors.DATABASE_UNAVAILABLE.matches(error))
      signal?.throwIfAborted()
      throw error
    }
  }
}

/** pg gives these two errors when no connection was made, or no connection of the pool became free, in time. */
const CONNECT_TIMEOUT = /timeout/

/** Whether a transaction that failed with this error has had no effect and may succeed when it is run again. */
function isTransient(error: unknown): boolean {
  if (!isMillraceError(error)) return false
  if (databaseErrors.DATABASE_CONFLICT.matches(error)) return true
  return databaseErrors.DATABASE_UNAVAILABLE.matches(error) && error.details?.isOutcomeUnknown !== true
}
