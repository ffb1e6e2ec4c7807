import type pg from 'pg'
import type { DetectRepeats } from './detect-repeats.js'
import { PipelineQuery } from './pipeline-query.js'
import type { Result, Statement, Step } from './statement.js'
import { toDatabaseError } from './to-database-error.js'

/** A round trip that is over, whether it failed or not. */
export interface FinishedRun {
  readonly steps: readonly Step[]
  /** What was sent before it in its transaction and changes how it is planned: role and tenant. */
  readonly setting: readonly Statement[]
  readonly durationMs: number
  /** Returned or changed, of all steps. */
  readonly rows: number
  readonly error: unknown
}

/** Told of every round trip. */
export type ObserveRun = (run: FinishedRun) => void

/** Runs a round trip inside a span. */
export type TraceRun = <T>(steps: readonly Step[], run: () => Promise<T>) => Promise<T>

export interface SessionDeps {
  readonly observe: ObserveRun
  /** Undefined when tracing is off. */
  readonly trace?: TraceRun | undefined
  /** Looks for statements that repeat, and may refuse them; undefined in production. */
  readonly detectRepeats?: DetectRepeats | undefined
}

const NO_SETTING: readonly Statement[] = []

/** One connection of pg's, through which all statements of this package go. */
export class Session {
  readonly #client: pg.Client
  readonly #deps: SessionDeps

  constructor(client: pg.Client, deps: SessionDeps) {
    this.#client = client
    this.#deps = deps
  }

  /**
   * One round trip. Outside a transaction the steps are one transaction of their own. `setting` is what the transaction began with.
   * @throws databaseErrors
   */
  run(steps: readonly Step[], setting = NO_SETTING): Promise<Result[]> {
    const { trace, detectRepeats } = this.#deps
    detectRepeats?.(steps)
    return trace === undefined ? this.#run(steps, setting) : trace(steps, () => this.#run(steps, setting))
  }

  async #run(steps: readonly Step[], setting: readonly Statement[]): Promise<Result[]> {
    const { observe } = this.#deps
    const startedAt = performance.now()
    const durationMs = () => performance.now() - startedAt
    try {
      const results = await this.#send(steps)
      const rows = results.reduce((sum, { rowCount }) => sum + rowCount, 0)
      observe({ steps, setting, durationMs: durationMs(), rows, error: undefined })
      return results
    } catch (error) {
      const mapped = toDatabaseError(error)
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
