import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import type { ObjectStore } from '@millrace/object-store'
import { entities } from '../entities/entities.js'
import type { ImportJob } from '../jobs/import-job.js'
import { readJob, renewLease, updateJob } from '../jobs/job-statements.js'
import { StagingTable } from '../staging/staging-table.js'
import { checkStaged } from './check-staged.js'
import { loadStaged } from './load-staged.js'
import type { StageContext } from './stage-context.js'
import { stageFile } from './stage-file.js'
import { undoImport } from './undo-import.js'

/** How often a wish to pause or cancel is looked for, and how long the lease lasts when it is not renewed. */
export const LEASE = { renewMs: 300, lengthMs: 15_000 }

interface RunDeps {
  readonly database: Database
  readonly sources: Pick<ObjectStore, 'get'>
  readonly logger: Logger
  /** The worker stops; the job goes on elsewhere, or here after a restart. */
  readonly signal: AbortSignal
  readonly now: () => number
}

/** Why a job was interrupted. */
class Interruption extends Error {
  readonly wish: 'pause' | 'cancel' | 'lost' | 'stop'

  constructor(wish: Interruption['wish']) {
    super(`the import is interrupted: ${wish}`)
    this.wish = wish
  }
}

/**
 * Does what is left to do of a job that this worker has claimed, from wherever it was left. A fault of the file or of the settings ends the job as failed; a fault of a dependency is
 * thrown, and the job goes on once its lease has ended.
 */
export async function runJob(job: ImportJob, { database, sources, logger, signal, now }: RunDeps): Promise<void> {
  const entity = entities.get(job.settings.entity)
  if (entity === undefined) {
    await updateJob(database, job, { state: 'failed', error: `there is no entity ${job.settings.entity} any more` })
    return
  }
  const staging = new StagingTable(
    job.id,
    job.settings.mapping.map(({ to }) => to),
  )
  const interruption = new AbortController()
  const stop = () => interruption.abort(new Interruption('stop'))
  signal.addEventListener('abort', stop)
  const ended = new AbortController()
  const watching = watch(job, { database, interruption, ended: ended.signal })
  const context: StageContext = { job, entity, staging, database, sources, signal: interruption.signal, now }
  try {
    if (signal.aborted) stop()
    await runStages(context)
    await staging.drop(database)
  } catch (error) {
    await endInterrupted(context, { error: interruption.signal.aborted ? interruption.signal.reason : error, logger })
  } finally {
    ended.abort()
    signal.removeEventListener('abort', stop)
    await watching
  }
}

async function runStages(context: StageContext): Promise<void> {
  const { database, signal } = context
  if (context.job.state === 'undoing') return await undoImport(context)
  let job = context.job
  const isIntact = job.isStaged && (await context.staging.isIntact(database, job.stagedRows))
  // Rows that are loaded stay loaded: a restart of PostgreSQL that emptied the staging table means that it has to be filled again in the same order.
  if (!isIntact) {
    await stageFile(context)
    job = { ...(await readJob(database, job.id)), epoch: job.epoch }
    signal.throwIfAborted()
    await checkStaged({ ...context, job })
  }
  job = { ...(await readJob(database, job.id)), epoch: job.epoch }
  signal.throwIfAborted()
  await loadStaged({ ...context, job })
}

/** Renews the lease, and ends the stages when a person wants it or when another worker has the job. */
async function watch(
  job: ImportJob,
  deps: { database: Database; interruption: AbortController; ended: AbortSignal },
): Promise<void> {
  while (!deps.ended.aborted) {
    await sleep(LEASE.renewMs, undefined, { signal: deps.ended }).catch(() => undefined)
    if (deps.ended.aborted) return
    try {
      const wish = await renewLease(deps.database, job, LEASE.lengthMs)
      if (wish === 'pause' || wish === 'cancel') deps.interruption.abort(new Interruption(wish))
    } catch (error) {
      // A database that does not answer is noticed by the stages too.
      if ((error as { code?: string }).code === 'IMPORT_LOST' && !deps.ended.aborted)
        deps.interruption.abort(new Interruption('lost'))
    }
  }
}

async function endInterrupted(
  { job, staging, database }: StageContext,
  { error, logger }: { error: unknown; logger: Logger },
): Promise<void> {
  const fields = { job: job.id, entity: job.settings.entity }
  if (error instanceof Interruption) {
    if (error.wish === 'pause') await updateJob(database, job, { state: 'paused' })
    if (error.wish === 'cancel') {
      await updateJob(database, job, { state: 'cancelled' })
      await staging.drop(database)
    }
    logger.info('an import was interrupted', { ...fields, reason: error.wish })
    return
  }
  const { kind, message } = error as { kind?: string; message: string }
  if (kind !== 'invalid' && kind !== 'not_found') throw error
  await updateJob(database, job, { state: 'failed', error: message })
  await staging.drop(database)
  logger.warn('an import failed because of its file or settings; nothing else is affected', {
    ...fields,
    reason: message,
  })
}
