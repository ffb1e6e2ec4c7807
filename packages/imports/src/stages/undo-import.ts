import { updateJob } from '../jobs/job-statements.js'
import { undoStatements } from '../staging/load-statements.js'
import type { StageContext } from './stage-context.js'

/**
 * Takes the changes of a job back, in one transaction: created rows are deleted, changed and deleted rows get their old values. Rows that were changed
 * after the import stay as they are, and are counted.
 */
export async function undoImport({ job, entity, database, signal }: StageContext): Promise<void> {
  const statements = undoStatements(entity)
  const values = [job.id, job.tenantId]
  await database.transaction(
    async (transaction) => {
      const { rows } = await transaction.query<{ deleted: bigint; updated: bigint }>(
        `select count(*) filter (where action = 'delete') as deleted, count(*) filter (where action = 'update') as updated
         from data_migration_logs where job_id = $1`,
        [job.id],
      )
      const logged = rows[0] as { deleted: bigint; updated: bigint }
      const restored = (await transaction.query(statements.restoreDeleted, values)).rowCount
      const changedBack = (await transaction.query(statements.restoreUpdated, values)).rowCount
      const deleted = (await transaction.query(statements.deleteCreated, values)).rowCount
      const keptRows =
        Number(logged.deleted) - restored + Number(logged.updated) - changedBack + job.counts.created - deleted
      await updateJob(transaction, job, { state: 'undone', keptRows })
    },
    { signal },
  )
}
