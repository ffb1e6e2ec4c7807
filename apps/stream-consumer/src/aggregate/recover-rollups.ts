import type { Queryable } from '@millrace/database'
import type { AssignedPartition, ReceivedFrame } from '@millrace/streams'
import { openFrame } from '../store/frame-view.js'
import type { Rollups } from './rollups.js'
import type { SeriesRegistry } from './series-registry.js'

/** The journal's row of a frame. */
interface JournalEntry {
  readonly position: string
  readonly firstOrdinal: number
  readonly records: number
  readonly verdicts: Buffer | null
}

export interface RecoverDeps {
  readonly database: Queryable
  readonly rollups: Rollups
  readonly registry: SeriesRegistry
}

/**
 * Counts the records that were committed after the rollups of the partition were last written. Their frames come from
 * `replay`, their verdicts from the journal. Returns the ordinals of the missing records when the stream no longer
 * holds all these frames, and null otherwise. Then nothing was counted.
 */
export async function recoverRollups(
  deps: RecoverDeps,
  assigned: AssignedPartition,
  replay: () => AsyncIterable<ReceivedFrame>,
): Promise<{ from: number; to: number } | null> {
  const { partition, flushedOrdinal, nextOrdinal, position } = assigned
  if (flushedOrdinal >= nextOrdinal) return null
  const entries = await selectEntries(deps.database, assigned)
  const due = [...entries.values()].filter(({ records }) => records > 0)
  const found = new Set<JournalEntry>()
  const frames: { frame: ReceivedFrame; entry: JournalEntry }[] = []
  for await (const frame of replay()) {
    const entry = entries.get(keyOf(frame.header.producer, frame.header.sequence))
    if (entry === undefined || entry.position !== frame.position || found.has(entry)) continue
    found.add(entry)
    // Copied: the payload is a view of a buffer that the next frame may overwrite.
    frames.push({ frame: { ...frame, payload: Buffer.from(frame.payload) }, entry })
  }
  const records = [...found].reduce((sum, entry) => sum + entry.records, 0)
  if (records !== nextOrdinal - flushedOrdinal || due.some((entry) => !found.has(entry)))
    return { from: flushedOrdinal, to: nextOrdinal }
  for (const one of frames) await applyAgain(deps, one)
  deps.rollups.apply({ partition, position, firstOrdinal: nextOrdinal, records: 0 }, null)
  return null
}

async function applyAgain(
  { rollups, registry }: RecoverDeps,
  { frame, entry }: { frame: ReceivedFrame; entry: JournalEntry },
): Promise<void> {
  const applied = {
    partition: frame.partition,
    position: entry.position,
    firstOrdinal: entry.firstOrdinal,
    records: entry.records,
  }
  const view = tryOpen(frame)
  if (view === null) {
    rollups.apply(applied, null)
    return
  }
  const [series] = await registry.resolve([view.reader.seriesKeys()])
  rollups.apply(applied, { view, series: series ?? [], verdicts: entry.verdicts })
}

function tryOpen(frame: ReceivedFrame): ReturnType<typeof openFrame> | null {
  try {
    return openFrame(frame.payload, frame.header.records)
  } catch (error) {
    // Such a frame was dead-lettered whole when it was first read.
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Uses the index event_journal_order. Between the two ordinals lie the frames of about a second. */
async function selectEntries(
  database: Queryable,
  { partition, flushedOrdinal, nextOrdinal }: AssignedPartition,
): Promise<Map<string, JournalEntry>> {
  const { rows } = await database.query<{
    producer: string
    sequence: bigint
    position: string
    first_ordinal: bigint
    records: number
    verdicts: Buffer | null
  }>(
    `select producer, sequence, position, first_ordinal, records, verdicts from event_journal
     where partition = $1 and first_ordinal >= $2 and first_ordinal < $3`,
    [partition, flushedOrdinal, nextOrdinal],
  )
  return new Map(
    rows.map((row) => [
      keyOf(row.producer, Number(row.sequence)),
      { position: row.position, firstOrdinal: Number(row.first_ordinal), records: row.records, verdicts: row.verdicts },
    ]),
  )
}

function keyOf(producer: string, sequence: number): string {
  return `${producer} ${sequence}`
}
