import type { Database, Statement, Step, Transaction } from '@millrace/database'

/** One statement that the service ran, and for whom. */
export interface RecordedStatement {
  readonly tenantId: number
  readonly statement: Statement
}

export interface Recorder {
  /** To be handed to the service in place of the database. */
  wrap(database: Database): Database
  /** What was run since the last call, each text once, in the order of its first run. */
  take(): RecordedStatement[]
}

/** Notes every statement that reads for a tenant, whoever builds it. */
export function createRecorder(): Recorder {
  let recorded: RecordedStatement[] = []
  const note = (tenantId: number, steps: readonly Step[]) => {
    for (const step of steps) if ('text' in step) recorded.push({ tenantId, statement: step })
  }
  const listen = (tenantId: number, tx: Transaction): Transaction => ({
    query: (statement, values) => {
      const step = typeof statement === 'string' ? { text: statement } : statement
      note(tenantId, [values === undefined ? step : { ...step, values }])
      return tx.query(statement, values)
    },
    pipeline: (steps) => {
      note(tenantId, steps)
      return tx.pipeline(steps)
    },
    finish: (steps) => {
      note(tenantId, steps)
      return tx.finish(steps)
    },
    copyBinary: (target, chunks) => tx.copyBinary(target, chunks),
    atCommit: (statement) => tx.atCommit(statement),
    savepoint: (fn) => tx.savepoint(fn),
  })
  return {
    wrap: (database) => ({
      ...database,
      withTenant: (tenantId, fn, options) => database.withTenant(tenantId, (tx) => fn(listen(tenantId, tx)), options),
    }),
    take() {
      const texts = new Map(recorded.map((item) => [item.statement.text, item] as const).reverse())
      recorded = []
      return [...texts.values()].reverse()
    },
  }
}
