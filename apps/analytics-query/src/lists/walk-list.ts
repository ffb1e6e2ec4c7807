import type { Statement, Transaction } from '@millrace/database'
import { BoundedPage, fillPage } from '@millrace/pagination'
import { rowsOf } from '../sql/rows-of.js'
import { type ListPlace, type ListQuery, positionAfter } from './list-query.js'
import { AS_WALKS, type ListConditions, type ListTable, type StepRow, stepStatement } from './list-statement.js'

/** Rows that a step of a walk with filters goes through: four times what is missing at first, and no more than PostgreSQL reads in some 20 ms. */
const STEP_ROWS = { growth: 4, max: 10_000 }

export interface WalkList<Row extends StepRow> {
  readonly table: ListTable
  readonly conditions: ListConditions
  readonly query: ListQuery
  readonly toJson: (row: Row & { readonly id: string }) => string
  /** Asked together with the first step, in the same snapshot. */
  readonly beside: readonly Statement[]
  readonly monotonicMs: () => number
}

export interface WalkedPage {
  /** A list of objects. */
  readonly dataJson: Buffer
  /** Empty at the end of the list. */
  readonly cursor: string
  /** The rows of each statement of `beside`. */
  readonly beside: readonly unknown[][]
}

/**
 * One page, newest first. Without filters it is read at once, since the index is in its order. With filters the index is walked in steps, each of
 * which goes through so many rows at most, until the page is full or WALK_MS have passed: then it is short, or empty, and its cursor goes on
 * from where the walk has come.
 */
export async function walkList<Row extends StepRow>(tx: Transaction, list: WalkList<Row>): Promise<WalkedPage> {
  const { table, conditions, query, toJson, monotonicMs } = list
  const isFiltered = conditions.filters.length > 0
  const page = new BoundedPage<ListPlace>(query.limit)
  let beside: unknown[][] | undefined
  let walkRows = page.missing + 1
  const read = async (after: ListPlace | null): Promise<ListPlace | null> => {
    const limit = page.missing + 1
    if (isFiltered) walkRows = Math.min(STEP_ROWS.max, walkRows * STEP_ROWS.growth)
    const step = stepStatement(table, conditions, { query, after, walkRows, limit, bytes: page.bytesLeft })
    const statements = beside === undefined ? [AS_WALKS, ...list.beside, step] : [step]
    const results = isFiltered ? await tx.pipeline(statements) : await tx.finish(statements)
    const walked = results.at(-1)
    beside ??= results.slice(1, -1).map(({ rows }) => rows)
    const rows = rowsOf<Row>(walked)
    addTo(page, rows, toJson)
    return reachedBy(rows, walkRows)
  }
  const reached = await fillPage(page, { first: query.after, read, monotonicMs })
  return pageOf(page, page.isFull ? page.last : reached, beside ?? [])
}

function addTo<Row extends StepRow>(
  page: BoundedPage<ListPlace>,
  rows: readonly Row[],
  toJson: WalkList<Row>['toJson'],
): void {
  const found = rows.filter((row): row is Row & { readonly id: string } => row.id !== null)
  for (const row of found) page.add(toJson(row), { timeUs: Number(row.time_us), id: row.id })
  const foundRows = Number(found[0]?.found_rows ?? 0n)
  if (found.length < foundRows) page.close()
}

/** How far a step has come; null at the end of the index. */
function reachedBy([row]: readonly StepRow[], walkRows: number): ListPlace | null {
  return row === undefined || Number(row.walked_rows) < walkRows
    ? null
    : { timeUs: Number(row.walked_us), id: row.walked_id }
}

function pageOf(page: BoundedPage<ListPlace>, place: ListPlace | null, beside: readonly unknown[][]): WalkedPage {
  return {
    dataJson: Buffer.from(`[${page.texts.join(',')}]`),
    cursor: place === null ? '' : positionAfter(place),
    beside,
  }
}
