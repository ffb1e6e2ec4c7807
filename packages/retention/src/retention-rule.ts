import type { Connection } from '@millrace/database'

/** How long the data of one relation is kept, and how older data is deleted. */
export interface RetentionRule extends RetainedRelation {
  /** Data is kept at least this long, in ms, and up to a day longer: cutoffs are whole UTC days. */
  readonly keptMs: number
  /** Events go to this relation, so it is kept at least as long as events are accepted; see `RetentionDeps.acceptedMs`. */
  readonly takesEvents?: boolean
  /**
   * A relation that this one's data belongs to or is derived from, with a rule earlier in the table. This relation is
   * kept at least as long as that one and is deleted after it.
   */
  readonly dependsOn?: string
}

/** A table and the way to delete its old data. */
export interface RetainedRelation {
  /** The table; also the label of its deletions in metrics and logs. */
  readonly relation: string
  /** Deletes what is older than the cutoff. A deletion that is cut short is continued by the next run. */
  readonly deleteBefore: (cutoff: Date, context: DeletionContext) => Promise<void>
}

/** What a deletion uses and reports to. */
export interface DeletionContext {
  /** Used by nobody else until the deletion ends. Statements outside transactions commit one by one. */
  readonly connection: Pick<Connection, 'query' | 'transaction'>
  /** When it aborts, no further statement is begun. */
  readonly signal: AbortSignal
  /** To be called with the rows of each statement, so that what was deleted before a failure counts too. */
  readonly onRowsDeleted: (rows: number) => void
  readonly onPartitionsDropped: (partitions: readonly string[]) => void
}
