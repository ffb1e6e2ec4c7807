import type { Queryable } from '@millrace/database'
import type { Checkpoint } from '@millrace/import-files'
import { findEntity } from '../entities/entities.js'
import { importErrors } from '../errors.js'
import { RecordConverter } from '../mapping/record-converter.js'
import type { ImportCounts, ImportJob, ImportSettings, ImportState } from './import-job.js'

interface JobRow {
  readonly job_id: bigint
  readonly tenant_id: number
  readonly settings: ImportSettings
  readonly state: ImportState
  readonly request: ImportJob['request'] | null
  readonly checkpoint: Checkpoint
  readonly is_staged: boolean
  readonly staged_rows: bigint
  readonly loaded_blocks: bigint
  readonly read_records: bigint
  readonly rejected_records: bigint
  readonly created_rows: bigint
  readonly updated_rows: bigint
  readonly unchanged_rows: bigint
  readonly deleted_rows: bigint
  readonly kept_rows: bigint
  readonly error: string | null
  readonly epoch: bigint
}

function toJob(row: JobRow): ImportJob {
  return {
    id: String(row.job_id),
    tenantId: row.tenant_id,
    settings: row.settings,
    state: row.state,
    request: row.request ?? undefined,
    checkpoint: row.checkpoint,
    isStaged: row.is_staged,
    stagedRows: Number(row.staged_rows),
    loadedBlocks: Number(row.loaded_blocks),
    counts: {
      read: Number(row.read_records),
      rejected: Number(row.rejected_records),
      created: Number(row.created_rows),
      updated: Number(row.updated_rows),
      unchanged: Number(row.unchanged_rows),
      deleted: Number(row.deleted_rows),
    },
    keptRows: Number(row.kept_rows),
    error: row.error ?? undefined,
    epoch: row.epoch,
  }
}

/** Adds a job, which any worker may run. Returns its id. @throws IMPORT_MAPPING_INVALID naming what is wrong with the settings */
export async function addJob(database: Queryable, tenantId: number, settings: ImportSettings): Promise<string> {
  // The constructor checks the mapping.
  new RecordConverter(findEntity(settings.entity), settings.mapping)
  const { rows } = await database.query<{ job_id: bigint }>(
    'insert into data_import_jobs (tenant_id, settings) values ($1, $2) returning job_id',
    [tenantId, JSON.stringify(settings)],
  )
  return String((rows[0] as { job_id: bigint }).job_id)
}

/** @throws IMPORT_NOT_FOUND */
export async function readJob(database: Queryable, id: string): Promise<ImportJob> {
  const { rows } = await database.query<JobRow>('select * from data_import_jobs where job_id = $1', [id])
  if (rows[0] === undefined) throw importErrors.IMPORT_NOT_FOUND({ message: `there is no import ${id}` })
  return toJob(rows[0])
}

/**
 * Takes the oldest job that nobody works on, of the tenant that has the fewest jobs under way, so that many jobs of one tenant do not hold up those of others. Uses the index
 * data_import_jobs_open; two workers never wait for each other.
 */
export async function claimJob(database: Queryable, leaseMs: number): Promise<ImportJob | undefined> {
  const { rows } = await database.query<JobRow>(
    `update data_import_jobs set epoch = epoch + 1, lease_until = clock_timestamp() + $1 * interval '1 millisecond'
     where job_id = (
       select j.job_id from data_import_jobs j
       where j.state in ('queued', 'validating', 'loading', 'undoing') and (j.lease_until is null or j.lease_until < clock_timestamp())
       order by (select count(*) from data_import_jobs o where o.tenant_id = j.tenant_id and o.lease_until >= clock_timestamp()
                 and o.state in ('queued', 'validating', 'loading', 'undoing')), j.created_at, j.job_id
       limit 1 for update of j skip locked)
     returning *`,
    [leaseMs],
  )
  return rows[0] && toJob(rows[0])
}

/** What changes in a job; absent fields stay, counts are added. */
export interface JobChange {
  readonly state?: ImportState
  readonly checkpoint?: Checkpoint
  readonly isStaged?: boolean
  readonly loadedBlocks?: number
  readonly stagedRows?: number
  readonly counts?: Partial<ImportCounts>
  readonly keptRows?: number
  readonly error?: string
}

const ENDED: ReadonlySet<ImportState> = new Set([
  'completed',
  'completed_with_rejects',
  'failed',
  'cancelled',
  'undone',
  'paused',
])

/**
 * Notes progress, in the transaction of what was done, as its last statement: from here on the row is locked. A job that ends or pauses gives up its lease. Returns
 * what a person wants by now. @throws IMPORT_LOST when another worker has taken the job over
 */
export async function updateJob(
  transaction: Queryable,
  job: Pick<ImportJob, 'id' | 'epoch'>,
  change: JobChange,
): Promise<ImportJob['request']> {
  const { state, checkpoint, counts = {} } = change
  const hasEnded = state !== undefined && ENDED.has(state)
  const { rows } = await transaction.query<{ request: ImportJob['request'] | null }>(
    `update data_import_jobs set state = coalesce($3, state), checkpoint = coalesce($4, checkpoint), is_staged = coalesce($5, is_staged),
       loaded_blocks = coalesce($6, loaded_blocks), staged_rows = staged_rows + $7, read_records = read_records + $8,
       rejected_records = rejected_records + $9, created_rows = created_rows + $10, updated_rows = updated_rows + $11,
       unchanged_rows = unchanged_rows + $12, deleted_rows = deleted_rows + $13, kept_rows = kept_rows + $14, error = coalesce($15, error),
       request = case when $16 then null else request end, lease_until = case when $16 then null else lease_until end,
       finished_at = case when $16 then clock_timestamp() else finished_at end
     where job_id = $1 and epoch = $2 returning request`,
    [
      job.id,
      job.epoch,
      state ?? null,
      checkpoint === undefined ? null : JSON.stringify(checkpoint),
      change.isStaged ?? null,
      change.loadedBlocks ?? null,
      change.stagedRows ?? 0,
      counts.read ?? 0,
      counts.rejected ?? 0,
      counts.created ?? 0,
      counts.updated ?? 0,
      counts.unchanged ?? 0,
      counts.deleted ?? 0,
      change.keptRows ?? 0,
      change.error ?? null,
      hasEnded,
    ],
  )
  if (rows[0] === undefined)
    throw importErrors.IMPORT_LOST({ message: `another worker has taken import ${job.id} over` })
  return rows[0].request ?? undefined
}

/** Extends the lease. Returns what a person wants by now; undefined: nothing. @throws IMPORT_LOST */
export async function renewLease(
  database: Queryable,
  job: Pick<ImportJob, 'id' | 'epoch'>,
  leaseMs: number,
): Promise<ImportJob['request']> {
  const { rows } = await database.query<{ request: ImportJob['request'] | null }>(
    `update data_import_jobs set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
     where job_id = $1 and epoch = $2 and lease_until is not null returning request`,
    [job.id, job.epoch, leaseMs],
  )
  if (rows[0] === undefined)
    throw importErrors.IMPORT_LOST({ message: `another worker has taken import ${job.id} over` })
  return rows[0].request ?? undefined
}

/**
 * Forgets all that was staged: it is read again from the source. Rows that are loaded already stay counted; what did not change a row is counted again.
 * In the caller's transaction. @throws IMPORT_LOST
 */
export async function restartJob(transaction: Queryable, job: Pick<ImportJob, 'id' | 'epoch'>): Promise<void> {
  const { rowCount } = await transaction.query(
    `update data_import_jobs set state = 'validating', checkpoint = default, is_staged = false, staged_rows = 0, loaded_blocks = 0,
       read_records = 0, rejected_records = 0, unchanged_rows = 0
     where job_id = $1 and epoch = $2`,
    [job.id, job.epoch],
  )
  if (rowCount === 0) throw importErrors.IMPORT_LOST({ message: `another worker has taken import ${job.id} over` })
  await transaction.query('delete from import_rejects where job_id = $1', [job.id])
}

const ASKABLE: Readonly<Record<'pause' | 'cancel' | 'undo' | 'resume', readonly ImportState[]>> = {
  pause: ['queued', 'validating', 'loading'],
  cancel: ['queued', 'validating', 'loading', 'paused'],
  resume: ['paused'],
  undo: ['completed', 'completed_with_rejects', 'failed', 'cancelled'],
}

/**
 * Asks for a change of a job. What no worker is needed for happens at once.
 * @throws IMPORT_NOT_FOUND, IMPORT_STATE_CONFLICT naming the state
 */
export async function askJob(
  database: Queryable,
  { id, tenantId }: { id: string; tenantId: number },
  wish: keyof typeof ASKABLE,
): Promise<void> {
  const isWaiting = "(lease_until is null or lease_until < clock_timestamp()) and state in ('queued', 'paused')"
  const change = {
    pause: `request = case when ${isWaiting} then null else 'pause' end, state = case when ${isWaiting} then 'paused' else state end`,
    cancel: `request = case when ${isWaiting} then null else 'cancel' end, state = case when ${isWaiting} then 'cancelled' else state end`,
    resume:
      "state = case when is_staged then 'loading' when (checkpoint->>'offset')::bigint > 0 then 'validating' else 'queued' end",
    undo: "state = 'undoing', finished_at = null",
  }[wish]
  const { rowCount } = await database.query(
    `update data_import_jobs set ${change} where job_id = $1 and tenant_id = $2 and state = any ($3)`,
    [id, tenantId, ASKABLE[wish]],
  )
  if (rowCount === 1) return
  const { rows } = await database.query<{ state: string }>(
    'select state from data_import_jobs where job_id = $1 and tenant_id = $2',
    [id, tenantId],
  )
  if (rows[0] === undefined) throw importErrors.IMPORT_NOT_FOUND({ message: `there is no import ${id}` })
  throw importErrors.IMPORT_STATE_CONFLICT({
    message: `import ${id} is ${rows[0].state}, and ${wish} is possible for ${ASKABLE[wish].join(', ')}`,
    details: { state: rows[0].state },
  })
}
