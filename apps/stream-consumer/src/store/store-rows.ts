import { EVENT_COPY_COLUMNS } from '@millrace/contracts'
import type { CopyStep, EventSegments, Transaction } from '@millrace/database'
import { type DeadLetterEntry, tenantOf } from './dead-letters.js'
import { type PoisonReason, toPoisonReason } from './poison-reason.js'
import { type DayRows, type PreparedBatch, type PreparedFrame, type RecordRef, VERDICT } from './prepared-batch.js'

/** From 0001-01-01 to 9999-12-30: on other days the partition's name or the end of the day is no valid date. */
const FIRST_DAY_MS = -62_135_596_800_000
const LAST_DAY_MS = 253_402_128_000_000

/** Whether rows of this day can be stored. */
export function isStorableDay({ dayMs }: Pick<DayRows, 'dayMs'>): boolean {
  return dayMs >= FIRST_DAY_MS && dayMs <= LAST_DAY_MS
}

/** Gives the table for a day's rows. */
export type Tables = Pick<EventSegments, 'tableOf'>

/** COPY of the rows `from` to `to` (exclusive) directly into their day's table. */
export function copyStep(day: DayRows, tables: Tables, from = 0, to = day.origins.length): CopyStep {
  return {
    copy: { table: tables.tableOf(day.dayMs), columns: EVENT_COPY_COLUMNS },
    chunks: [day.buffer.subarray(day.offsets[from] as number, day.offsets[to] as number)],
  }
}

/**
 * Stores the valid rows of a batch that PostgreSQL refused: bisects what fails, under savepoints, until single rows
 * are left. Takes about 2 log2(rows) statements for each bad row. Returns the records of the bad rows.
 * @throws errors that are not caused by the data.
 */
export async function storeRowByRow(batch: PreparedBatch, tables: Tables, tx: Transaction): Promise<DeadLetterEntry[]> {
  const dead: DeadLetterEntry[] = []
  const store = async (day: DayRows, from: number, to: number): Promise<void> => {
    const poison = await tryCopy(tx, copyStep(day, tables, from, to))
    if (poison === null) return
    if (to - from === 1) {
      dead.push({ ...recordOf(batch, day, from), ...poison })
      return
    }
    const middle = (from + to) >>> 1
    await store(day, from, middle)
    await store(day, middle, to)
  }
  for (const day of batch.days) {
    if (isStorableDay(day)) await store(day, 0, day.origins.length)
  }
  return dead
}

async function tryCopy(tx: Transaction, { copy, chunks }: CopyStep): Promise<PoisonReason | null> {
  try {
    await tx.savepoint(() => tx.copyBinary(copy, chunks))
    return null
  } catch (error) {
    const poison = toPoisonReason(error)
    if (poison === null) throw error
    return poison
  }
}

/** The record of row `row` of a day. */
export function recordOf(batch: PreparedBatch, day: DayRows, row: number): RecordRef {
  const candidate = day.origins[row] as number
  return {
    frame: batch.frames[batch.frameOf[candidate] as number] as PreparedFrame,
    index: batch.indexOf[candidate] as number,
  }
}

/** Changes the verdict of a record from stored to dead-lettered. Its message id may be used again. */
export function markDeadLettered(batch: PreparedBatch, { frame, index }: RecordRef): void {
  const { partition, producer, records } = frame.frame
  frame.verdicts ??= new Uint8Array(records)
  frame.verdicts[index] = VERDICT.deadLettered
  frame.deadLettered++
  const count = batch.ledger.of(partition, producer, tenantOf({ frame, index }))
  count.stored--
  count.deadLettered++
  const { hashes } = frame
  batch.windows.of(partition).forget(hashes[2 * index] as number, hashes[2 * index + 1] as number)
}
