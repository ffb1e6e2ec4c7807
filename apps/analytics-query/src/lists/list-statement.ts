import type { Statement } from '@millrace/database'
import { instant, SqlValues } from '../sql/sql-values.js'
import type { ListPosition, ListQuery } from './list-query.js'

/** A table that is listed by time and id, newest first. */
export interface ListTable {
  readonly name: string
  /** The columns that order it. */
  readonly time: string
  readonly id: string
  /** Select list for a row `t`, in addition to `id` and `time_us`. */
  readonly columns: string
  /** A JSON column that may be large; it is returned as text. */
  readonly json?: string
}

/** A condition on a row `t`, as SQL. */
export type Condition = (values: SqlValues) => string

/** Which index a list reads, and which of its rows match. */
export interface ListConditions {
  readonly tenantId: number
  /** The conditions of each index range; several ranges are merged. */
  readonly walks: readonly (readonly Condition[])[]
  /**
   * Whether the ranges cover all users. Their indexes differ from those of one user or entity in where nulls would be
   * sorted, which makes the planner choose between them.
   */
  readonly isOfEverybody: boolean
  /** Conditions on the rows of the index; empty: every row matches. */
  readonly filters: readonly Condition[]
}

/** A condition for each column whose text is not null: the column equals the text. */
export function equal(columns: Readonly<Record<string, string | null>>): Condition[] {
  return Object.entries(columns).flatMap(([column, text]): Condition[] =>
    text === null ? [] : [(values) => `t.${column} = ${values.add(text, 'text')}`],
  )
}

/**
 * Planner settings for the transaction, sent before the first step. For a user with many rows who is not in its
 * statistics, the planner assumes few rows: it would read all of them and sort them, although the index returns them in
 * the order of the page. Disabling the other ways raises cost estimates so much that parallel workers and JIT have to
 * be disabled as well.
 */
export const AS_WALKS: Statement = {
  name: 'plan_as_walks',
  text: `select ${['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'jit'].map((name) => `set_config('${name}', 'off', true)`).join(', ')},
    set_config('max_parallel_workers_per_gather', '0', true)`,
}

export interface StepRequest {
  readonly query: Pick<ListQuery, 'fromMs' | 'toMs'>
  readonly after: ListPosition | null
  /** Maximum index rows that the step reads. */
  readonly walkRows: number
  /** Maximum rows that the step returns. */
  readonly limit: number
  /** Rows end once the rows before them reach this size, as stored or as text. */
  readonly bytes: number
}

/**
 * A result row of a step: how far the step has read, and one row of the list. `id` is null when the step found none.
 */
export interface StepRow {
  readonly walked_rows: bigint
  readonly walked_us: bigint
  readonly walked_id: string
  readonly id: string | null
  readonly time_us: bigint
  /** Number of rows found; fewer may be returned because of their size. */
  readonly found_rows: bigint
}

/**
 * One step through an index, from newest to oldest. It ends after `walkRows` index rows, so that it is fast even if few
 * rows match; it returns no row at all only at the end of the index. Two sums limit the size of the page: that of the
 * stored sizes, which PostgreSQL knows without decompressing values, limits how much is decompressed; that of the texts
 * limits how much is sent.
 */
export function stepStatement(table: ListTable, conditions: ListConditions, step: StepRequest): Statement {
  const values = new SqlValues()
  const { time, id, json } = table
  const nulls = conditions.isOfEverybody ? 'last' : 'first'
  const newest = (row: string) => `${row}.${time} desc nulls ${nulls}, ${row}.${id} desc`
  const before = (row: string) => `over (order by ${newest(row)} rows between unbounded preceding and 1 preceding)`
  const walked = walkedRows(table, conditions, { step, values, order: newest('t') })
  const filters = conditions.filters.map((condition) => condition(values))
  const where = filters.length === 0 ? '' : `where ${filters.join(' and ')}`
  const bytes = json === undefined ? '' : values.add(step.bytes, 'bigint')
  const stored = json === undefined ? '0' : `coalesce(sum(pg_column_size(t.${json})) ${before('t')}, 0)`
  const sent = json === undefined ? '0' : `coalesce(sum(octet_length(t.json)) ${before('t')}, 0)`
  const fits = (size: string) => (json === undefined ? '' : `where t.${size} < ${bytes}`)
  const text = json === undefined ? '' : `, t.${json}::text as json`
  // "offset 0" keeps the text from being computed twice.
  return {
    text: `with walked as (${walked}), matching as (
        select t.*, count(*) over () as found_rows, ${stored} as stored_before
        from (select * from walked t ${where} order by ${newest('t')} limit ${values.add(step.limit, 'integer')}) t
      ), texts as (select t.*${text} from matching t ${fits('stored_before')} offset 0), sized as (select t.*, ${sent} as sent_before from texts t),
      page as (select ${micros('t', time)} as time_us, t.${id} as id, t.found_rows, ${table.columns} from sized t ${fits('sent_before')})
      select reached.*, page.* from (
        select count(*) over () as walked_rows, ${micros('t', time)} as walked_us, t.${id} as walked_id from walked t order by t.${time}, t.${id} limit 1
      ) reached left join page on true order by page.time_us desc, page.id desc`,
    values: values.list,
    mayRepeat: true,
  }
}

function walkedRows(
  { name, time, id }: ListTable,
  { tenantId, walks }: ListConditions,
  { step, values, order }: { step: StepRequest; values: SqlValues; order: string },
): string {
  const { fromMs, toMs } = step.query
  const newest = `order by ${order} limit ${values.add(step.walkRows, 'integer')}`
  const range = [`t.tenant_id = ${values.add(tenantId, 'integer')}`]
  if (fromMs !== null) range.push(`t.${time} >= ${instant(values, fromMs)}`)
  if (toMs !== null) range.push(`t.${time} < ${instant(values, toMs)}`)
  if (step.after !== null) {
    const after = `timestamptz 'epoch' + ${values.add(step.after.timeUs, 'bigint')} * interval '1 microsecond'`
    range.push(`(t.${time}, t.${id}) < (${after}, ${values.add(step.after.id, 'text')})`)
  }
  const parts = walks.map((walk) => {
    return `select t.* from ${name} t where ${[...range, ...walk.map((condition) => condition(values))].join(' and ')} ${newest}`
  })
  return parts.length === 1
    ? parts.join()
    : `select * from (${parts.map((one) => `(${one})`).join(' union all ')}) t ${newest}`
}

function micros(row: string, column: string): string {
  return `(extract(epoch from ${row}.${column}) * 1000000)::bigint`
}
