import type { AnswerWatch } from '@millrace/resilience'
import type pg from 'pg'
import type { DetectRepeats } from './detect-repeats.js'
import { destroySocket } from './pg-internals.js'
import { PipelineQuery } from './pipeline-query.js'
import type { Result, Statement, Step } from './statement.js'
import { toDatabaseError } from './to-database-error.js'

/** A finished round trip, successful or not. */
export interface FinishedRun {
  readonly steps: readonly Step[]
  /** Statements at the start of its transaction that change how it is planned: role and tenant. */
  readonly setting: readonly Statement[]
  readonly durationMs: number
  /** Rows returned or changed, of all steps together. */
  readonly rows: number
  readonly error: unknown
}

/** Called after each round trip. */
export type ObserveRun = (run: FinishedRun) => void

/** Runs a round trip inside a span. */
export type TraceRun = <T>(steps: readonly Step[], run: () => Promise<T>) => Promise<T>

/** Hooks around each round trip. */
export interface SessionDeps {
  readonly observe: ObserveRun
  /** Fails round trips that a dead server does not answer. */
  readonly watch: AnswerWatch
  /** Undefined when tracing is off. */
  readonly trace?: TraceRun | undefined
  /** Detects repeated statements and may throw; undefined in production. */
  readonly detectRepeats?: DetectRepeats | undefined
}

const NO_SETTING: readonly Statement[] = []

/** One connection of pg. All statements of this package go through it. */
export class Session {
  readonly #client: pg.Client
  readonly #deps: SessionDeps

  constructor(client: pg.Client, deps: SessionDeps) {
    this.#client = client
    this.#deps = deps
  }

  /**
   * Runs all steps in one round trip; outside of a transaction they are a transaction of their own. `setting`: the first statements of the transaction.
   * @throws databaseErrors
   */
  run(steps: readonly Step[], setting = NO_SETTING): Promise<Result[]> {
    const { trace, detectRepeats } = this.#deps
    detectRepeats?.(steps)
    return trace === undefined ? this.#run(steps, setting) : trace(steps, () => this.#run(steps, setting))
  }

  async #run(steps: readonly Step[], setting: readonly Statement[]): Promise<Result[]> {
    const { observe, watch } = this.#deps
    const startedAt = performance.now()
    const durationMs = () => performance.now() - startedAt
    const wait = { lose: (error: Error) => destroySocket(this.#client, error) }
    watch.begin(wait)
    try {
      const results = await this.#send(steps)
      watch.end(wait, true)
      const rows = results.reduce((sum, { rowCount }) => sum + rowCount, 0)
      observe({ steps, setting, durationMs: durationMs(), rows, error: undefined })
      return results
    } catch (error) {
      const mapped = toDatabaseError(error)
      watch.end(wait, mapped.details?.sqlState !== undefined)
      observe({ steps, setting, durationMs: durationMs(), rows: 0, error: mapped })
      throw mapped
    }
  }

  async query<Row>(statement: Statement): Promise<Result<Row>> {
    const [result] = await this.run([statement])
    return result as Result<Row>
  }

  #send(steps: readonly Step[]): Promise<Result[]> {
    return new Promise((resolve, reject) => {
      const done = (error: Error | null, results?: Result[]) => (error ? reject(error) : resolve(results ?? []))
      this.#client.query(new PipelineQuery(steps, this.#client as unknown, done) as unknown as pg.Submittable)
    })
  }
}
