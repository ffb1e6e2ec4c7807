import type { Transaction } from '@millrace/database'
import { importErrors } from '../errors.js'
import type { ImportCounts } from '../jobs/import-job.js'
import { readJob, updateJob } from '../jobs/job-statements.js'
import { LoadStatements } from '../staging/load-statements.js'
import { BatchSize } from './batch-size.js'
import type { StageContext } from './stage-context.js'

/** Blocks of 8 KiB. A row takes some 100 to 200 bytes in staging, so these are some 500 to 10,000 rows. */
const BLOCKS = { min: 8, max: 128, aimMs: 200 }

type Loaded = Pick<ImportCounts, 'rejected' | 'created' | 'updated' | 'unchanged'>

/** Brings the staged rows into the table of the entity: batch by batch with the progress, or all in one transaction. */
export async function loadStaged(context: StageContext): Promise<void> {
  const { job, database } = context
  const { isAtomic, isDryRun, mode } = job.settings
  const { counts } = await readJob(database, job.id)
  if (isDryRun) return await previewLoad(context, counts.rejected)
  if (!isAtomic && mode !== 'replace') return await loadInBatches(context)
  if (counts.rejected > 0)
    throw importErrors.IMPORT_INCOMPLETE({
      message: `${counts.rejected} records are rejected, so nothing is loaded: the import is all or nothing`,
    })
  await loadAtOnce(context)
}

async function previewLoad({ job, entity, staging, database, signal }: StageContext, rejected: number): Promise<void> {
  const statements = new LoadStatements({ entity, staging })
  await database.transaction(
    async (transaction) => {
      const { rows } = await transaction.query<Record<'created' | 'updated' | 'unchanged' | 'deleted', bigint>>(
        statements.preview(job.settings.mode),
        [job.id, job.tenantId],
      )
      const found = rows[0] as Record<'created' | 'updated' | 'unchanged' | 'deleted', bigint>
      const counts = Object.fromEntries(
        Object.entries(found).map(([name, count]) => [name, Number(count)]),
      ) as Partial<ImportCounts>
      await updateJob(transaction, job, { state: endState(rejected), counts: { ...counts, read: 0, rejected: 0 } })
    },
    { signal },
  )
}

const endState = (rejected: number) => (rejected > 0 ? 'completed_with_rejects' : 'completed')

async function loadInBatches(context: StageContext): Promise<void> {
  const { job, staging, database, signal } = context
  const blocks = await staging.countBlocks(database)
  const size = new BatchSize(BLOCKS)
  let from = job.loadedBlocks
  while (from < blocks) {
    signal.throwIfAborted()
    const to = Math.min(blocks, from + size.value)
    const startMs = context.now()
    await loadBatch(context, { from, to })
    size.observe(to - from, context.now() - startMs)
    from = to
  }
  const { counts } = await readJob(database, job.id)
  await updateJob(database, job, { state: endState(counts.rejected) })
}

/** A batch that meets rows of somebody else is rolled back and tried again: then these rows exist. */
async function loadBatch(
  context: StageContext,
  { from, to }: { from: number; to: number },
  attemptsLeft = 5,
): Promise<void> {
  const { job, database, signal } = context
  try {
    await database.transaction(
      async (transaction) => {
        const counts = await loadBlocks(context, transaction, { from, to })
        await updateJob(transaction, job, { loadedBlocks: to, counts })
      },
      { signal },
    )
  } catch (error) {
    if ((error as { code?: string }).code !== 'IMPORT_RACE' || attemptsLeft === 1) throw error
    await loadBatch(context, { from, to }, attemptsLeft - 1)
  }
}

async function loadAtOnce(context: StageContext): Promise<void> {
  const { job, entity, staging, database, signal } = context
  const blocks = await staging.countBlocks(database)
  const statements = new LoadStatements({ entity, staging })
  await database.transaction(
    async (transaction) => {
      const loaded = await loadBlocks(context, transaction, { from: 0, to: blocks })
      const deleted =
        job.settings.mode === 'replace'
          ? (await transaction.query(statements.deleteOthers(), [job.id, job.tenantId])).rowCount
          : 0
      // Somebody else has added a row since the check.
      if (loaded.rejected > 0)
        throw importErrors.IMPORT_INCOMPLETE({ message: `${loaded.rejected} rows exist by now, so nothing is loaded` })
      await updateJob(transaction, job, { state: 'completed', loadedBlocks: blocks, counts: { ...loaded, deleted } })
    },
    { signal },
  )
}

async function loadBlocks(
  context: StageContext,
  transaction: Transaction,
  { from, to }: { from: number; to: number },
): Promise<Loaded> {
  const { job, entity, staging } = context
  const statements = new LoadStatements({ entity, staging })
  const values = [job.id, job.tenantId, `(${from},0)`, `(${to},0)`]
  let [updated, unchanged] = [0, 0]
  let candidates: number | undefined
  const isInsert = job.settings.mode === 'insert'
  if (!isInsert) {
    const { rows } = await transaction.query<Record<'updated' | 'unchanged' | 'candidates', bigint>>(
      statements.update(),
      values,
    )
    const changed = rows[0] as Record<'updated' | 'unchanged' | 'candidates', bigint>
    updated = Number(changed.updated)
    unchanged = Number(changed.unchanged)
    candidates = Number(changed.candidates)
  }
  const { rows } = await transaction.query<Record<'created' | 'rejected', bigint>>(
    statements.insert({ rejects: isInsert }),
    values,
  )
  const { created, rejected } = rows[0] as Record<'created' | 'rejected', bigint>
  if (candidates !== undefined && Number(created) + updated + unchanged !== candidates)
    throw importErrors.IMPORT_RACE({ message: 'rows were added or deleted by somebody else at the same time' })
  return { rejected: Number(rejected), created: Number(created), updated, unchanged }
}
