import { databaseErrors } from './errors.js'
import type { Session } from './session.js'
import { type CopyTarget, type Queryable, type Result, type Statement, type Step, toStatement } from './statement.js'
import { isClientTimeout, toDatabaseError } from './to-database-error.js'

export interface TransactionOptions {
  /** Default: read committed. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /**
   * When it aborts, the server is told to end the running statement and the transaction fails with the signal's reason; nothing is tried again.
   * Pools alone heed it.
   */
  readonly signal?: AbortSignal | undefined
}

/** Statements that commit together or not at all. Calls made without awaiting run in the order they were made. */
export interface Transaction extends Queryable {
  /** COPY … FROM STDIN (FORMAT binary); few large chunks. Returns the rows stored. */
  copyBinary(target: CopyTarget, chunks: readonly Buffer[]): Promise<number>
  /** All steps in one round trip; results in order. The first error fails them all. */
  pipeline(steps: readonly Step[]): Promise<Result[]>
  /** As `pipeline`, and COMMIT in the same round trip: nothing may follow. For transactions that only read. */
  finish(steps: readonly Step[]): Promise<Result[]>
  /**
   * Runs in the round trip of COMMIT and so costs none. Nobody sees its result: where it must hold, make it fail in SQL with
   * `millrace_fence(changed, expected)`.
   */
  atCommit(statement: Statement): void
  /** Undoes what `fn` did when it throws, and rethrows; the transaction stays usable. One at a time, or one inside another. */
  savepoint<T>(fn: () => Promise<T>): Promise<T>
}

const COMMIT: Statement = { text: 'commit' }

/**
 * A transaction whose BEGIN, SAVEPOINT and RELEASE wait for the next statement and share its round trip. `run` may be called once.
 * Locks: whatever the statements take, until COMMIT.
 */
export class OpenTransaction implements Transaction {
  readonly #session: Session
  readonly #signal: AbortSignal | undefined
  readonly #setting: readonly Statement[]
  readonly #isReadOnly: boolean
  /** Sent in front of the next statement. */
  #pending: Statement[]
  readonly #deferred: Statement[] = []
  #isStarted = false
  #isFinished = false
  #savepoints = 0
  /** A statement failed and nothing has undone it: COMMIT would quietly roll back. */
  #failure: unknown
  /** Whether COMMIT was sent, so that a lost connection leaves the outcome unknown. */
  isCommitting = false

  /** `setting` is sent after BEGIN and holds until the end of the transaction. */
  constructor(session: Session, options: TransactionOptions, setting: readonly Statement[] = []) {
    this.#session = session
    this.#signal = options.signal
    this.#setting = setting
    this.#isReadOnly = options.readOnly === true
    this.#pending = [{ text: beginText(options) }, ...setting]
  }

  async run<T>(fn: (transaction: Transaction) => Promise<T>): Promise<T> {
    try {
      const value = await fn(this)
      await this.#commit()
      return value
    } catch (error) {
      // Where no answer came in time none will come to ROLLBACK; the connection is given up, which rolls back as well.
      if (!isClientTimeout(this.#failure)) await this.#rollback()
      throw error
    }
  }

  async query<Row>(statement: string | Statement, values?: readonly unknown[]): Promise<Result<Row>> {
    const [result] = await this.pipeline([toStatement(statement, values)])
    return result as Result<Row>
  }

  async copyBinary(copy: CopyTarget, chunks: readonly Buffer[]): Promise<number> {
    const [result] = await this.pipeline([{ copy, chunks }])
    return result?.rowCount ?? 0
  }

  async pipeline(steps: readonly Step[]): Promise<Result[]> {
    this.#signal?.throwIfAborted()
    if (this.#isFinished)
      throw databaseErrors.DATABASE_STATEMENT_ERROR({
        message: 'the transaction has been finished: nothing may follow',
      })
    const prefix = this.#pending
    this.#pending = []
    this.#isStarted = true
    try {
      const results = await this.#session.run(prefix.length > 0 ? [...prefix, ...steps] : steps, this.#setting)
      return results.slice(prefix.length)
    } catch (error) {
      this.#failure ??= error
      throw error
    }
  }

  async finish(steps: readonly Step[]): Promise<Result[]> {
    if (!this.#isReadOnly)
      throw databaseErrors.DATABASE_STATEMENT_ERROR({ message: 'a transaction that writes is ended by its caller' })
    const results = await this.pipeline([...steps, COMMIT])
    this.#isFinished = true
    return results.slice(0, -1)
  }

  atCommit(statement: Statement): void {
    this.#deferred.push(statement)
  }

  async savepoint<T>(fn: () => Promise<T>): Promise<T> {
    const name = `millrace_${++this.#savepoints}`
    this.#pending.push({ text: `savepoint ${name}` })
    const deferred = this.#deferred.length
    try {
      const value = await fn()
      if (this.#failure !== undefined) throw this.#failure
      this.#pending.push({ text: `release savepoint ${name}` })
      return value
    } catch (error) {
      this.#deferred.length = deferred
      this.#undo(name)
      throw error
    }
  }

  #undo(name: string): void {
    const unsent = this.#pending.findIndex(({ text }) => text === `savepoint ${name}`)
    if (unsent >= 0) {
      this.#pending.length = unsent
      return
    }
    this.#pending = [{ text: `rollback to savepoint ${name}` }, { text: `release savepoint ${name}` }]
    this.#failure = undefined
  }

  async #commit(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isFinished) return
    if (!this.#isStarted && this.#deferred.length === 0) return
    const steps = [...this.#pending, ...this.#deferred, COMMIT]
    this.#isStarted = true
    this.isCommitting = true
    const results = await this.#runCommit(steps)
    this.isCommitting = false
    if (results.at(-1)?.command !== 'COMMIT') {
      throw databaseErrors.DATABASE_STATEMENT_ERROR({
        message: 'the server rolled the transaction back instead of committing it',
      })
    }
  }

  async #runCommit(steps: readonly Step[]): Promise<Result[]> {
    try {
      return await this.#session.run(steps)
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** Awaited, so that the connection is clean when it goes back to the pool. Its failure adds nothing to the error that led here. */
  async #rollback(): Promise<void> {
    if (!this.#isStarted || this.#isFinished) return
    await this.#session.run([{ text: 'rollback' }]).catch(() => undefined)
  }
}

/** The error as the caller of a transaction should see it: says so when nobody knows whether COMMIT took effect. */
export function toTransactionError(error: unknown, transaction: OpenTransaction): unknown {
  if (!transaction.isCommitting) return error
  const mapped = toDatabaseError(error)
  if (!databaseErrors.DATABASE_UNAVAILABLE.matches(mapped) && !databaseErrors.DATABASE_TIMEOUT.matches(mapped))
    return error
  return databaseErrors.DATABASE_UNAVAILABLE({
    message: 'the connection was lost while committing',
    cause: error,
    details: { isOutcomeUnknown: true },
  })
}

function beginText({ isolation, readOnly }: TransactionOptions): string {
  return `begin${isolation ? ` isolation level ${isolation}` : ''}${readOnly ? ' read only' : ''}`
}
