import type { Statement } from '@millrace/database'
import { instant, SqlValues } from '../sql/sql-values.js'
import type { ListPlace, ListQuery } from './list-query.js'

/** A table whose rows are listed by time and id, newest first. */
export interface ListTable {
  readonly name: string
  /** Columns that order it. */
  readonly time: string
  readonly id: string
  /** The select list for the rows of a page, of `t`; `id` and `time_us` come by themselves. */
  readonly columns: string
  /** A column of JSON that may be large; it comes as text. */
  readonly json?: string
}

/** SQL over `t`. */
export type Condition = (values: SqlValues) => string

/** What a list is asked about: which index is walked, and what of its rows is wanted. */
export interface ListConditions {
  readonly tenantId: number
  /** Of the index that is walked; with several, the walks are merged. */
  readonly walks: readonly (readonly Condition[])[]
  /** Whether these are walks through everybody's rows: their indexes are told from those of one user or entity by where nulls would be. */
  readonly isOfEverybody: boolean
  /** Of the rows on the way; without any every row counts. */
  readonly filters: readonly Condition[]
}

/** Those of `columns` that are asked for have the text. */
export function equal(columns: Readonly<Record<string, string | null>>): Condition[] {
  return Object.entries(columns).flatMap(([column, text]): Condition[] =>
    text === null ? [] : [(values) => `t.${column} = ${values.add(text, 'text')}`],
  )
}

/**
 * Sent in front of the first step, for its transaction. The planner believes of one who has many rows, and whom its sample missed, that he has few: it would
 * read them all and sort them, where the index gives the page's in their order. Costs that are raised so far would also call for workers and compiling.
 */
export const AS_WALKS: Statement = {
  name: 'plan_as_walks',
  text: `select ${['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'jit'].map((name) => `set_config('${name}', 'off', true)`).join(', ')},
    set_config('max_parallel_workers_per_gather', '0', true)`,
}

export interface StepRequest {
  readonly query: Pick<ListQuery, 'fromMs' | 'toMs'>
  readonly after: ListPlace | null
  /** Rows of the index that the step goes through at most. */
  readonly walkRows: number
  /** Rows that it finds at most. */
  readonly limit: number
  /** No row follows once those before it hold so much, as it is stored or as it is sent. */
  readonly bytes: number
}

/** A row of a step's answer: how far it has come, and one row of the list, or none (`id` is null) where it found none. */
export interface StepRow {
  readonly walked_rows: bigint
  readonly walked_us: bigint
  readonly walked_id: string
  readonly id: string | null
  readonly time_us: bigint
  /** Rows that were found, of which the last may have been left out for their bytes. */
  readonly found_rows: bigint
}

/**
 * One step of a walk from the newest row to the oldest, by the index that the conditions name. It ends after `walkRows` rows of it, so that what few rows
 * match costs no more than so many; only an index that was walked to its end gives no row at all. The stored sizes, which PostgreSQL knows without
 * reading values, keep it from unpacking much more than is sent; those of the texts from sending much more than fits a page.
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
  // "offset 0" keeps the text from being made twice.
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
