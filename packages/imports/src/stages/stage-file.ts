import type { Transaction } from '@millrace/database'
import {
  type Cell,
  type Checkpoint,
  FILE_START,
  type FileRecord,
  type RecordFormat,
  readRecords,
} from '@millrace/import-files'
import { importErrors } from '../errors.js'
import { restartJob, updateJob } from '../jobs/job-statements.js'
import { RecordConverter } from '../mapping/record-converter.js'
import { CopyRows } from '../staging/copy-rows.js'
import { BatchSize } from './batch-size.js'
import type { StageContext, StoredReject } from './stage-context.js'

/** IMP-2: batches of 100 to 10,000 records; a batch of some 100 ms can be cut short by a wish to pause in well under a second. */
const BATCH = { min: 100, max: 10_000, aimMs: 100 }
const BATCH_BYTES_MAX = 8 * 1024 * 1024
const VALUE_LENGTH_MAX = 200

class Batch {
  readonly rows = new CopyRows()
  readonly rejects: StoredReject[] = []
  read = 0
  rejected = 0
  checkpoint: Checkpoint = FILE_START
}

/**
 * Reads the source from the checkpoint of the job, validates its records, and stages them. Rows, rejects and the checkpoint of a batch are one transaction. While
 * a batch is written, the next one is read; no more than these two are in memory.
 */
export async function stageFile(context: StageContext): Promise<void> {
  const { job, entity, staging, database, signal } = context
  const { settings } = job
  let from = job.checkpoint
  if (from.offset === 0 || !(await staging.isIntact(database, job.stagedRows))) {
    from = FILE_START
    await database.transaction(async (transaction) => {
      await staging.create(transaction)
      await restartJob(transaction, job)
    })
  }
  const converter = new RecordConverter(entity, settings.mapping)
  const size = new BatchSize(BATCH)
  const { body } = await context.sources.get(settings.source, { signal })
  const { compression, encoding, format } = settings
  let batch = new Batch()
  let writing: Promise<void> = Promise.resolve()
  const write = async (full: Batch) => {
    await writing
    const startMs = context.now()
    writing = writeBatch(context, full).then(() => size.observe(full.read, context.now() - startMs))
    // The error is thrown by the next await.
    writing.catch(() => undefined)
  }
  try {
    for await (const { records, checkpoint } of readRecords({ source: body, compression, encoding, format, from })) {
      signal.throwIfAborted()
      for (const record of records) take(record, { batch, converter, format })
      batch.checkpoint = checkpoint
      if (batch.read < size.value && batch.rows.bytes < BATCH_BYTES_MAX) continue
      await write(batch)
      batch = new Batch()
    }
    await write(batch)
  } finally {
    // Nothing is written any more after the end, also after an error.
    await Promise.allSettled([writing])
  }
  await writing
}

function take(
  record: FileRecord,
  { batch, converter, format }: { batch: Batch; converter: RecordConverter; format: RecordFormat },
): void {
  batch.read++
  if (record.kind === 'rejected') {
    batch.rejected++
    const column = record.column === undefined ? null : nameOfColumn(record.column, format)
    const value = printable(record.bytes.toString('utf8').slice(0, VALUE_LENGTH_MAX))
    batch.rejects.push({
      record: record.number,
      fault: 0,
      line: record.line,
      code: record.code,
      column,
      reason: record.reason,
      value,
    })
    return
  }
  const values: Cell[] = new Array(converter.names.length)
  const faults = converter.convert(record.cells, values)
  if (faults.length === 0) {
    batch.rows.add(record.number, record.line, values)
    return
  }
  batch.rejected++
  for (const [fault, { code, column, reason, value }] of faults.entries())
    batch.rejects.push({
      record: record.number,
      fault,
      line: record.line,
      code,
      column,
      reason,
      value: printable(value),
    })
}

/** A column that is not read yet has no name of the entity. */
const nameOfColumn = (position: number, format: RecordFormat): string =>
  format.layout === 'delimited' ? `column ${position}` : (format.columns[position - 1] ?? `column ${position}`)

/** PostgreSQL stores no NUL. */
const printable = (text: string): string => text.replaceAll('\0', '\u{fffd}')

async function writeBatch(context: StageContext, { rows, rejects, read, rejected, checkpoint }: Batch): Promise<void> {
  const { job, staging, database } = context
  await database.transaction(async (transaction) => {
    if (rows.rows > 0)
      await transaction.copyBinary(
        { table: staging.name, columns: ['record', 'line', ...staging.columns] },
        rows.chunks,
      )
    await addRejects(transaction, job, rejects)
    await updateJob(transaction, job, {
      state: 'validating',
      checkpoint,
      stagedRows: rows.rows,
      counts: { read, rejected },
    })
    const { rejectsMax } = job.settings
    if (rejected > 0 && rejectsMax !== undefined) await checkRejects(transaction, job.id, rejectsMax)
  })
}

async function checkRejects(transaction: Transaction, jobId: string, rejectsMax: number): Promise<void> {
  const { rows } = await transaction.query<{ rejected_records: bigint }>(
    'select rejected_records from data_import_jobs where job_id = $1',
    [jobId],
  )
  const rejected = Number(rows[0]?.rejected_records ?? 0)
  if (rejected > rejectsMax)
    throw importErrors.IMPORT_INCOMPLETE({
      message: `${rejected} records are rejected, and at most ${rejectsMax} may be (rejectsMax)`,
    })
}

async function addRejects(
  transaction: Transaction,
  job: StageContext['job'],
  rejects: readonly StoredReject[],
): Promise<void> {
  if (rejects.length === 0) return
  const column = <Field extends keyof StoredReject>(field: Field) => rejects.map((reject) => reject[field])
  await transaction.query(
    `insert into import_rejects (job_id, tenant_id, record, fault, line, code, column_name, reason, value)
     select $1, $2, * from unnest($3::bigint[], $4::smallint[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[])`,
    [
      job.id,
      job.tenantId,
      column('record'),
      column('fault'),
      column('line'),
      column('code'),
      column('column'),
      column('reason'),
      column('value'),
    ],
  )
}
