import type pg from 'pg'
import { PipelineQuery } from './pipeline-query.js'
import type { Result, Statement, Step } from './statement.js'
import { isCopy } from './statement.js'
import { toDatabaseError } from './to-database-error.js'

/** Told of every round trip, whether it failed or not. */
export type ObserveRun = (steps: readonly Step[], durationMs: number, error: unknown) => void

/** Runs a round trip inside a span. */
export type TraceRun = <T>(steps: readonly Step[], run: () => Promise<T>) => Promise<T>

export interface SessionDeps {
  readonly observe: ObserveRun
  /** Undefined when tracing is off. */
  readonly trace?: TraceRun | undefined
}

/** One connection of pg's, through which all statements of this package go. */
export class Session {
  readonly #client: pg.Client
  readonly #deps: SessionDeps

  constructor(client: pg.Client, deps: SessionDeps) {
    this.#client = client
    this.#deps = deps
  }

  /**
   * One round trip. Outside a transaction the steps are one transaction of their own.
   * @throws databaseErrors
   */
  run(steps: readonly Step[]): Promise<Result[]> {
    const { trace } = this.#deps
    return trace === undefined ? this.#run(steps) : trace(steps, () => this.#run(steps))
  }

  async #run(steps: readonly Step[]): Promise<Result[]> {
    const { observe } = this.#deps
    const startedAt = performance.now()
    try {
      const results = await this.#send(steps)
      observe(steps, performance.now() - startedAt, undefined)
      return results
    } catch (error) {
      const mapped = toDatabaseError(error)
      observe(steps, performance.now() - startedAt, mapped)
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

/** What a step is called in logs: its text, or the target of its COPY. */
export function describeStep(step: Step): string {
  return isCopy(step) ? `copy ${step.copy.table} from stdin` : step.text
}
