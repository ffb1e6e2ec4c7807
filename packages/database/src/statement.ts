/** One SQL statement. Values go separately, never inside the text. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepares the statement once for each connection. A name must always have the same text. For statements that run often. */
  readonly name?: string
  /**
   * `generic`: planned once for each connection, without values and without sequential scans; later runs use that plan. For statements that find their rows
   * by an index in many partitions, where planning takes longer than running. A connection keeps the plans of the ten such statements it ran last.
   */
  readonly plan?: 'generic'
  /** `array`: rows are arrays of values instead of objects. */
  readonly rowMode?: 'array'
  /** Exempts the statement from the detection of N+1 reads, because a request has to run it many times, as the steps of a recursive walk. */
  readonly mayRepeat?: boolean
}

/** One row of the result of `COPY (…) TO STDOUT`: bytes that follow those of the rows before it. */
export interface CopiedBytes {
  readonly bytes: Buffer
}

/** Where COPY writes; `table` may be a day partition. Names are quoted for the caller. */
export interface CopyTarget {
  readonly table: string
  readonly columns: readonly string[]
}

/** COPY … FROM STDIN (FORMAT binary). The chunks together are whole tuples, cut at any byte; header and trailer are added. */
export interface CopyStep {
  readonly copy: CopyTarget
  readonly chunks: readonly Buffer[]
}

/** One part of a pipeline. */
export type Step = Statement | CopyStep

/** int8 arrives as bigint, date as `YYYY-MM-DD`, timestamptz as Date, numeric as string, bytea as Buffer. */
export interface Result<Row = Record<string, unknown>> {
  readonly rows: Row[]
  /** Rows changed or returned. */
  readonly rowCount: number
  /** The command tag, for example INSERT. */
  readonly command: string
}

/** Runs one statement: a database, a connection or a transaction. */
export interface Queryable {
  /** @throws databaseErrors */
  query<Row = Record<string, unknown>>(statement: string | Statement, values?: readonly unknown[]): Promise<Result<Row>>
}

/** Whether the step is a COPY. */
export function isCopy(step: Step): step is CopyStep {
  return 'copy' in step
}

/** A text and its values as a statement. */
export function toStatement(statement: string | Statement, values?: readonly unknown[]): Statement {
  if (typeof statement === 'string') return values ? { text: statement, values } : { text: statement }
  return values ? { ...statement, values } : statement
}
