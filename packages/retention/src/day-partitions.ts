import { dropDayPartitionsBefore, type PartitionedTable, type Statement } from '@millrace/database'
import type { DeletionContext, RetainedRelation } from './retention-rule.js'

/** How the day partitions of a table are dropped. */
export interface DayPartitionsOptions {
  /** Whether a day may be dropped, by the name of its partition. A day that may not be dropped stays as it is until a later run. Default: all may. */
  readonly mayDrop?: (partition: string, context: DeletionContext) => Promise<boolean>
  /**
   * Called for each table with the rows of a day before it is dropped. Nobody else uses it any more. The statements that it returns run in the
   * transaction of the drop; undefined leaves the table for the next run.
   */
  readonly beforeDrop?: (table: string, context: DeletionContext) => Promise<readonly Statement[] | undefined>
}

/** A table in day partitions, which are dropped whole. Neither readers nor writers of the table wait for that. */
export function dayPartitions(
  table: PartitionedTable,
  { mayDrop, beforeDrop }: DayPartitionsOptions = {},
): RetainedRelation {
  return {
    relation: table,
    deleteBefore: async (cutoff, context) => {
      const { connection, signal, onPartitionsDropped } = context
      const dropped = await dropDayPartitionsBefore(connection, table, cutoff.getTime(), {
        signal,
        ...(mayDrop !== undefined && { mayDrop: (partition: string) => mayDrop(partition, context) }),
        ...(beforeDrop !== undefined && { beforeDrop: (retired: string) => beforeDrop(retired, context) }),
      })
      if (dropped.length > 0) onPartitionsDropped(dropped)
    },
  }
}
