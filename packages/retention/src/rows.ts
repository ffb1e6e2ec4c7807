import type { Statement } from '@millrace/database'
import type { DeletionContext, RetainedRelation } from './retention-rule.js'

/**
 * Rows that one statement deletes. Each is a transaction: 5,000 rows take some 50 ms, the longest that others wait
 * for their locks.
 */
const ROWS_PER_STATEMENT = 5_000

export interface RowsOptions {
  /** The column with the time that decides a row's age. */
  readonly time: string
  /** Rows that one statement deletes; default 5,000. */
  readonly rowsPerStatement?: number
}

/**
 * Rows that are written once and never changed, deleted tenant by tenant, oldest first. Relies on an index on
 * (tenant_id, time), in either direction; `isNullsFirst` when that index sorts nulls before the oldest row.
 */
export function rowsOfTenants(
  relation: string,
  { time, isNullsFirst = false, rowsPerStatement = ROWS_PER_STATEMENT }: RowsOptions & { isNullsFirst?: boolean },
): RetainedRelation {
  const order = `"${time}"${isNullsFirst ? ' nulls first' : ''}`
  const text = `with gone as (
      delete from ${relation} where ctid = any (array(select ctid from ${relation}
        where tenant_id = $4 and "${time}" < $1 and "${time}" >= $2 order by ${order} limit $3)) returning "${time}"
    ) select count(*) as deleted, max("${time}")::text as reached from gone`
  return {
    relation,
    deleteBefore: async (cutoff, context) => {
      for (
        let tenant = await nextTenant(relation, 0, context);
        tenant !== null;
        tenant = await nextTenant(relation, tenant, context)
      )
        await deleteInBatches({ text, values: [tenant] }, { cutoff, rowsPerStatement, context })
    },
  }
}

/**
 * Rows that others may be changing, deleted oldest first. Locked rows are skipped and stay until a later run: writers
 * lock several rows in the order of the key, and waiting for them in another order could deadlock. Relies on an index
 * on the time, restricted by `condition`, when the table is large.
 */
export function rowsInUse(
  relation: string,
  options: RowsOptions & {
    /** The primary key. */
    readonly key: readonly string[]
    /** SQL condition on the rows that may be deleted at all. */
    readonly condition?: string
  },
): RetainedRelation {
  const { time, key, condition = 'true', rowsPerStatement = ROWS_PER_STATEMENT } = options
  const columns = key.join(', ')
  const text = `with gone as (
      delete from ${relation} where (${columns}) in (select ${columns} from ${relation}
        where ${condition} and "${time}" < $1 and "${time}" >= $2 order by "${time}" limit $3 for update skip locked) returning "${time}"
    ) select count(*) as deleted, max("${time}")::text as reached from gone`
  return {
    relation,
    deleteBefore: (cutoff, context) => deleteInBatches({ text, values: [] }, { cutoff, rowsPerStatement, context }),
  }
}

/** The smallest tenant id above `after` that has rows. */
async function nextTenant(
  relation: string,
  after: number,
  { connection, signal }: DeletionContext,
): Promise<number | null> {
  if (signal.aborted) return null
  const { rows } = await connection.query<{ tenant: number | null }>(
    `select min(tenant_id) as tenant from ${relation} where tenant_id > $1`,
    [after],
  )
  return rows[0]?.tenant ?? null
}

/**
 * Each statement continues at the time that the one before reached, so that it does not scan the index entries of
 * deleted rows again.
 */
async function deleteInBatches(
  statement: Required<Pick<Statement, 'values'>> & Pick<Statement, 'text'>,
  { cutoff, rowsPerStatement, context }: { cutoff: Date; rowsPerStatement: number; context: DeletionContext },
): Promise<void> {
  let from = '-infinity'
  while (!context.signal.aborted) {
    const { rows } = await context.connection.query<{ deleted: bigint; reached: string | null }>({
      text: statement.text,
      values: [cutoff.toISOString(), from, rowsPerStatement, ...statement.values],
    })
    const deleted = Number(rows[0]?.deleted ?? 0n)
    if (deleted > 0) context.onRowsDeleted(deleted)
    if (deleted < rowsPerStatement) return
    from = rows[0]?.reached ?? from
  }
}
