import type { Statement, Transaction } from '@millrace/database'
import { BoundedPage, fillPage } from '@millrace/pagination'
import { rowsOf } from '../sql/rows-of.js'
import { type ListPosition, type ListQuery, positionAfter } from './list-query.js'
import { AS_WALKS, type ListConditions, type ListTable, type StepRow, stepStatement } from './list-statement.js'

/**
 * Index rows that one step with filters reads: at first four times the missing rows, then four times as many each step,
 * up to what PostgreSQL reads in about 20 ms.
 */
const STEP_ROWS = { growth: 4, max: 10_000 }

export interface WalkList<Row extends StepRow> {
  readonly table: ListTable
  readonly conditions: ListConditions
  readonly query: ListQuery
  readonly toJson: (row: Row & { readonly id: string }) => string
  /** Statements that are sent together with the first step, in the same snapshot. */
  readonly beside: readonly Statement[]
  readonly monotonicMs: () => number
}

export interface WalkedPage {
  /** A JSON list of objects. */
  readonly dataJson: Buffer
  /** A position; empty at the end of the list. */
  readonly cursor: string
  /** The rows of each statement of `beside`. */
  readonly beside: readonly unknown[][]
}

/**
 * One page, newest first. Without filters it is read by one statement, since the index is in the order of the page.
 * With filters the index is read in steps of a limited number of rows, until the page is full or 5 s have passed: then
 * it is short or even empty, and its cursor continues where reading stopped.
 */
export async function walkList<Row extends StepRow>(tx: Transaction, list: WalkList<Row>): Promise<WalkedPage> {
  const { table, conditions, query, toJson, monotonicMs } = list
  const isFiltered = conditions.filters.length > 0
  const page = new BoundedPage<ListPosition>(query.limit)
  let beside: unknown[][] | undefined
  let walkRows = page.missing + 1
  const read = async (after: ListPosition | null): Promise<ListPosition | null> => {
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
  page: BoundedPage<ListPosition>,
  rows: readonly Row[],
  toJson: WalkList<Row>['toJson'],
): void {
  const found = rows.filter((row): row is Row & { readonly id: string } => row.id !== null)
  for (const row of found) page.add(toJson(row), { timeUs: Number(row.time_us), id: row.id })
  const foundRows = Number(found[0]?.found_rows ?? 0n)
  if (found.length < foundRows) page.close()
}

/** The position after the last index row of a step; null at the end of the index. */
function reachedBy([row]: readonly StepRow[], walkRows: number): ListPosition | null {
  return row === undefined || Number(row.walked_rows) < walkRows
    ? null
    : { timeUs: Number(row.walked_us), id: row.walked_id }
}

function pageOf(page: BoundedPage<ListPosition>, place: ListPosition | null, beside: readonly unknown[][]): WalkedPage {
  return {
    dataJson: Buffer.from(`[${page.texts.join(',')}]`),
    cursor: place === null ? '' : positionAfter(place),
    beside,
  }
}
