/** One SQL statement. Values go separately, never inside the text. */
export interface Statement {
  readonly text: string
  readonly values?: readonly unknown[]
  /** Prepares the statement once a connection under this name, which must always stand for the same text. For hot statements alone. */
  readonly name?: string
  /**
   * `kept`: planned once a connection, without its values and without sequential scans, and run by that plan from then on. For what an index finds in any
   * of many partitions, where planning takes longer than running. A connection keeps the plans of the ten such statements it ran last, told apart by text.
   */
  readonly plan?: 'generic'
  /** `array`: rows are arrays of values instead of objects. */
  readonly rowMode?: 'array'
  /** For a statement that a request runs as often as it must, such as the steps of a walk: repeats of it are no sign of N+1 reads. */
  readonly mayRepeat?: boolean
}

/** Where COPY writes; `table` may be a day partition. Names are quoted by us. */
export interface CopyTarget {
  readonly table: string
  readonly columns: readonly string[]
}

/** COPY … FROM STDIN (FORMAT binary). The chunks together are whole tuples, cut anywhere; header and trailer are added. */
export interface CopyStep {
  readonly copy: CopyTarget
  readonly chunks: readonly Buffer[]
}

export type Step = Statement | CopyStep

/** int8 arrives as bigint, date as `YYYY-MM-DD`, timestamptz as Date, numeric as string, bytea as Buffer. */
export interface Result<Row = Record<string, unknown>> {
  readonly rows: Row[]
  /** Rows changed or returned. */
  readonly rowCount: number
  /** The command tag, for example INSERT. */
  readonly command: string
}

export interface Queryable {
  /** @throws databaseErrors */
  query<Row = Record<string, unknown>>(statement: string | Statement, values?: readonly unknown[]): Promise<Result<Row>>
}

export function isCopy(step: Step): step is CopyStep {
  return 'copy' in step
}

export function toStatement(statement: string | Statement, values?: readonly unknown[]): Statement {
  if (typeof statement === 'string') return values ? { text: statement, values } : { text: statement }
  return values ? { ...statement, values } : statement
}
