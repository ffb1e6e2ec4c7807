import type pg from 'pg'
import { PipelineQuery } from './pipeline-query.js'
import type { Result, Statement, Step } from './statement.js'
import { isCopy } from './statement.js'
import { toDatabaseError } from './to-database-error.js'

/** Told of every round trip, whether it failed or not. */
export type ObserveRun = (steps: readonly Step[], durationMs: number, error: unknown) => void

/** One connection of pg's, through which all statements of this package go. */
export class Session {
  readonly #client: pg.Client
  readonly #observe: ObserveRun

  constructor(client: pg.Client, observe: ObserveRun) {
    this.#client = client
    this.#observe = observe
  }

  /**
   * One round trip. Outside a transaction the steps are one transaction of their own.
   * @throws databaseErrors
   */
  async run(steps: readonly Step[]): Promise<Result[]> {
    const startedAt = performance.now()
    try {
      const results = await this.#send(steps)
      this.#observe(steps, performance.now() - startedAt, undefined)
      return results
    } catch (error) {
      const mapped = toDatabaseError(error)
      this.#observe(steps, performance.now() - startedAt, mapped)
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
