import type pg from 'pg'
import { copyFrames, copyText } from './copy-frames.js'
import { GenericPlans, hasGenericPlan, isPlanSetting, withPlanSettings } from './generic-plans.js'
import { createQuery, type PgConnection, type PgQuery, prepareValue, withoutSync } from './pg-internals.js'
import { isCopy, type Result, type Step } from './statement.js'

const genericPlans = new WeakMap<PgConnection, GenericPlans>()

type Callback = (error: Error | null, results?: Result[]) => void

/**
 * Several statements and COPYs sent as one pipeline of the extended protocol with a single Sync at its end: one round trip, and the server skips
 * everything after the first error. It is a submittable object of pg, which pg queues like its own queries (docs/decisions/0020).
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 *
 * COPY data follows its Execute without waiting for CopyInResponse. That is safe: after an error the server skips CopyData and CopyDone too, and the Sync
 * comes after them.
 */
export class PipelineQuery {
  /** pg's client replaces it by its own to stop the timer of `query_timeout`. */
  callback: Callback
  /** The caller's steps, with plan settings around those with a generic plan. */
  readonly #steps: readonly Step[]
  readonly #queries: PgQuery[]
  #current = 0

  /** @throws when a value cannot be sent, before anything is sent. */
  constructor(steps: readonly Step[], types: unknown, callback: Callback) {
    this.#steps = steps.flatMap(withPlanSettings)
    this.callback = callback
    this.#queries = this.#steps.map((step) => {
      const config = isCopy(step) ? { text: copyText(step.copy) } : { ...step, values: step.values?.map(prepareValue) }
      return createQuery(config as pg.QueryConfig, types)
    })
  }

  /** pg's client reads name and text at ParseComplete, which comes before CommandComplete of the same step. */
  get name(): string | undefined {
    return this.#queries[this.#current]?.name
  }

  get text(): string | undefined {
    return this.#queries[this.#current]?.text
  }

  submit(connection: PgConnection): Error | null {
    const unsynced = withoutSync(connection)
    connection.stream.cork()
    try {
      for (const [index, query] of this.#queries.entries()) {
        const step = this.#steps[index]
        if (step && hasGenericPlan(step)) prepareGenericPlan(connection, query)
        query.prepare(unsynced)
        if (step && isCopy(step)) for (const piece of copyFrames(step.chunks)) connection.stream.write(piece)
      }
      connection.sync()
    } finally {
      connection.stream.uncork()
    }
    return null
  }

  handleRowDescription(message: unknown): void {
    this.#queries[this.#current]?.handleRowDescription(message)
  }

  handleDataRow(message: unknown): void {
    this.#queries[this.#current]?.handleDataRow(message)
  }

  handleCommandComplete(message: unknown, connection: pg.Connection): void {
    this.#queries[this.#current++]?.handleCommandComplete(message, connection)
  }

  handleEmptyQuery(): void {
    this.#current++
  }

  handleCopyInResponse(): void {}

  /** Data of `copyOut`. The bytes are only valid during the call. */
  handleCopyData({ chunk }: { readonly chunk: Buffer }): void {
    this.#queries[this.#current]?._result.rows.push({ bytes: Buffer.from(chunk) })
  }

  handlePortalSuspended(): void {}

  /** An error of the current step, or the loss of the connection. The server has not parsed the steps after it. */
  handleError(error: Error, connection: PgConnection): void {
    for (const query of this.#queries.slice(this.#current)) {
      if (query.name) delete connection.submittedNamedStatements[query.name]
    }
    this.callback(error)
  }

  handleReadyForQuery(): void {
    const broken = this.#queries.find((query) => query._canceledDueToError)
    if (broken?._canceledDueToError) this.callback(broken._canceledDueToError)
    else this.callback(null, this.#queries.filter((_, index) => !isPlanSetting(this.#steps[index])).map(resultOf))
  }
}

/** Gives the statement a name, so that it is prepared when the connection does not know it, and closes the statement that it replaces. */
function prepareGenericPlan(connection: PgConnection, query: PgQuery): void {
  let plans = genericPlans.get(connection)
  if (plans === undefined) {
    plans = new GenericPlans()
    genericPlans.set(connection, plans)
  }
  const { name, closed } = plans.use(query.text)
  query.name = name
  if (closed === undefined) return
  connection.close({ type: 'S', name: closed })
  delete connection.submittedNamedStatements[closed]
  delete connection.parsedStatements[closed]
}

function resultOf({ _result: { rows, rowCount, command } }: PgQuery): Result {
  return { rows: rows as Result['rows'], rowCount: rowCount ?? 0, command }
}
