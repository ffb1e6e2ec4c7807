import type { Step, Transaction } from '@millrace/database'
import { addConsumedStatement } from '@millrace/streams'
import { type DeadLetterEntry, deadLettersStep, settleReplaysStep } from './dead-letters.js'
import { journalStep } from './journal.js'
import { type PoisonReason, toPoisonReason } from './poison-reason.js'
import { type PreparedBatch, type RecordRef, VERDICT } from './prepared-batch.js'
import { copyStep, isStorableDay, markDeadLettered, recordOf, storeRowByRow, type Tables } from './store-rows.js'

export interface StoreConfig {
  readonly stream: string
}

export interface StoreDeps {
  /** The statements that write the typed tables' rows of `records`. */
  readonly typedSteps: (records: readonly RecordRef[]) => Step[]
  readonly segments: Tables
}

/**
 * Stores rows, journal, ledger and typed rows of a batch in one round trip. When PostgreSQL refuses a value, the bad
 * rows become dead letters and the others are stored. Afterwards the verdicts of the batch are final.
 * @returns the dead letters.
 */
export async function storeBatch(
  config: StoreConfig,
  deps: StoreDeps,
  { batch, tx }: { batch: PreparedBatch; tx: Transaction },
): Promise<DeadLetterEntry[]> {
  const dead = deadBeforehand(batch)
  const days = batch.days.filter(isStorableDay)
  const steps = (): Step[] => [...recordSteps(config, batch, dead), ...deps.typedSteps(storedOf(batch.typed))]
  try {
    await tx.savepoint(() => tx.pipeline([...days.map((day) => copyStep(day, deps.segments)), ...steps()]))
  } catch (error) {
    if (toPoisonReason(error) === null) throw error
    for (const entry of await storeRowByRow(batch, deps.segments, tx)) {
      markDeadLettered(batch, entry)
      dead.push(entry)
    }
    await tx.pipeline(steps())
  }
  return dead
}

/** The records that cannot be stored for sure: of unreadable frames and of days that cannot be stored. */
function deadBeforehand(batch: PreparedBatch): DeadLetterEntry[] {
  const dead: DeadLetterEntry[] = []
  for (const frame of batch.frames) {
    if (frame.view === null)
      dead.push({
        frame,
        index: -1,
        code: 'frame_unreadable',
        reason: 'the payload of the frame is no record batch of a known version',
      })
  }
  for (const day of batch.days) {
    if (isStorableDay(day)) continue
    for (let row = 0; row < day.origins.length; row++) {
      const record = recordOf(batch, day, row)
      markDeadLettered(batch, record)
      dead.push({
        ...record,
        code: 'timestamp_out_of_range',
        reason: 'the time of the record is outside the years 1 to 9999',
      })
    }
  }
  return dead
}

function recordSteps(config: StoreConfig, batch: PreparedBatch, dead: readonly DeadLetterEntry[]): Step[] {
  const steps: Step[] = [journalStep(batch.frames)]
  const counts = batch.ledger.sorted()
  if (counts.length > 0) steps.push(addConsumedStatement(config.stream, counts))
  const fresh = dead.filter(({ frame }) => !frame.frame.isReplay)
  if (fresh.length > 0) steps.push(deadLettersStep(config.stream, fresh))
  const replays = replayOutcomes(batch, dead)
  if (replays.length > 0) steps.push(settleReplaysStep(replays))
  return steps
}

function replayOutcomes(
  batch: PreparedBatch,
  dead: readonly DeadLetterEntry[],
): { record: RecordRef; poison: PoisonReason | null }[] {
  return batch.frames
    .filter(({ frame, view }) => frame.isReplay && view !== null)
    .flatMap((frame) =>
      Array.from({ length: frame.frame.records }, (_, index) => ({
        record: { frame, index },
        poison: dead.find((entry) => entry.frame === frame && entry.index === index) ?? null,
      })),
    )
}

function storedOf(records: readonly RecordRef[]): RecordRef[] {
  return records.filter(({ frame, index }) => (frame.verdicts?.[index] ?? VERDICT.stored) === VERDICT.stored)
}
