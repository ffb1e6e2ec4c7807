import { findEntity } from '../entities/entities.js'
import { updateJob } from '../jobs/job-statements.js'
import { LoadStatements } from '../staging/load-statements.js'
import type { StageContext } from './stage-context.js'

/** Excludes and rejects what can only be seen in all records together and in the database: keys that come twice, and references. One transaction. */
export async function checkStaged(context: StageContext): Promise<void> {
  const { job, entity, staging, database, signal } = context
  const statements = new LoadStatements({ entity, staging })
  const { duplicates, mode, isDryRun, isAtomic } = job.settings
  const values = [job.id, job.tenantId]
  await database.transaction(
    async (transaction) => {
      await transaction.query(`analyze ${staging.name}`)
      let rejected = (await transaction.query(statements.excludeDuplicates(duplicates), values)).rowCount
      for (const [name, { references }] of Object.entries(entity.columns)) {
        if (references === undefined || !staging.columns.includes(name)) continue
        const statement = statements.excludeMissing(name, findEntity(references))
        rejected += (await transaction.query(statement, values)).rowCount
      }
      if (job.counts.created + job.counts.updated > 0) await transaction.query(statements.excludeLoaded(), values)
      if (mode === 'insert' && (isDryRun || isAtomic))
        rejected += (await transaction.query(statements.excludeExisting(), values)).rowCount
      await updateJob(transaction, job, { isStaged: true, state: 'loading', counts: { rejected } })
    },
    { signal },
  )
}
