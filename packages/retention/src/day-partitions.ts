import { dropDayPartitionsBefore, type PartitionedTable } from '@millrace/database'
import type { RetainedRelation } from './retention-rule.js'

/** A table in day partitions, which are dropped whole. Neither readers nor writers of the table wait for that. */
export function dayPartitions(table: PartitionedTable): RetainedRelation {
  return {
    relation: table,
    deleteBefore: async (cutoff, { connection, onPartitionsDropped }) => {
      const dropped = await dropDayPartitionsBefore(connection, table, cutoff.getTime())
      if (dropped.length > 0) onPartitionsDropped(dropped)
    },
  }
}
