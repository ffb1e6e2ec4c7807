import { databaseErrors } from './errors.js'
import type { Session } from './session.js'
import { type CopyTarget, type Queryable, type Result, type Statement, type Step, toStatement } from './statement.js'
import { isClientTimeout, toDatabaseError } from './to-database-error.js'

/** Options of `transaction` and `withTenant`. */
export interface TransactionOptions {
  /** Default: read committed. */
  readonly isolation?: 'read committed' | 'repeatable read' | 'serializable'
  readonly readOnly?: boolean
  /**
   * When it aborts, the server ends the running statement and the transaction fails with the signal's reason, without retries. Only pools use it.
   */
  readonly signal?: AbortSignal | undefined
}

/** Statements that commit together or not at all. Calls that are not awaited run in their order. */
export interface Transaction extends Queryable {
  /** COPY … FROM STDIN (FORMAT binary); few large chunks are best. Returns the number of rows. */
  copyBinary(target: CopyTarget, chunks: readonly Buffer[]): Promise<number>
  /** Runs all steps in one round trip and returns their results in order. After the first error nothing more runs. */
  pipeline(steps: readonly Step[]): Promise<Result[]>
  /** Like `pipeline`, with COMMIT in the same round trip: no statement may follow. Only in read-only transactions. */
  finish(steps: readonly Step[]): Promise<Result[]>
  /**
   * Runs the statement in the round trip of COMMIT. Its result is not returned: if it must hold, let it fail in SQL by `millrace_fence(changed, expected)`.
   */
  atCommit(statement: Statement): void
  /** Rolls back what `fn` did when it throws, and rethrows; the transaction stays usable. One at a time, or one inside another. */
  savepoint<T>(fn: () => Promise<T>): Promise<T>
}

const COMMIT: Statement = { text: 'commit' }

/**
 * A transaction whose BEGIN, SAVEPOINT and RELEASE are sent with the next statement. `run` may be called once.
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
  /** The error of a failed statement that no savepoint has undone: a COMMIT would roll back without an error. */
  #failure: unknown
  /** COMMIT was sent and not answered yet: if the connection is lost now, the outcome is unknown. */
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
      // A server that did not answer in time would not answer ROLLBACK either; the connection is closed, which rolls back.
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
        message: 'the transaction is finished: no statement may follow',
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
      throw databaseErrors.DATABASE_STATEMENT_ERROR({ message: 'finish is only for read-only transactions' })
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

  /** Awaited, so that the connection goes back to the pool outside of a transaction. Its own failure is ignored: the first error is thrown. */
  async #rollback(): Promise<void> {
    if (!this.#isStarted || this.#isFinished) return
    await this.#session.run([{ text: 'rollback' }]).catch(() => undefined)
  }
}

/** The error for the caller of a transaction. It says when it is unknown whether COMMIT took effect. */
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
