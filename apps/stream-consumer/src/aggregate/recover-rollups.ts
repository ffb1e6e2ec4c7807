import type { Queryable } from '@millrace/database'
import type { AssignedPartition, ReceivedFrame } from '@millrace/streams'
import { openFrame } from '../store/frame-view.js'
import type { Rollups } from './rollups.js'
import type { SeriesRegistry } from './series-registry.js'

/** What the journal says about a frame. */
interface Judged {
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
 * Counts again what was committed after the rollups of `assigned` were last written: the frames of `replay` with the verdicts that the journal
 * has for them. Returns the ordinals that were not among them, because the stream no longer holds their frames; null when all were.
 */
export async function recoverRollups(
  deps: RecoverDeps,
  assigned: AssignedPartition,
  replay: () => AsyncIterable<ReceivedFrame>,
): Promise<{ from: number; to: number } | null> {
  const { partition, flushedOrdinal, nextOrdinal, position } = assigned
  if (flushedOrdinal >= nextOrdinal) return null
  const judged = await selectJudged(deps.database, assigned)
  const due = [...judged.values()].filter(({ records }) => records > 0)
  const found = new Set<Judged>()
  const frames: { frame: ReceivedFrame; judged: Judged }[] = []
  for await (const frame of replay()) {
    const entry = judged.get(keyOf(frame.header.producer, frame.header.sequence))
    if (entry === undefined || entry.position !== frame.position || found.has(entry)) continue
    found.add(entry)
    // The payload is a view of a larger buffer that the next frame may overwrite.
    frames.push({ frame: { ...frame, payload: Buffer.from(frame.payload) }, judged: entry })
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
  { frame, judged }: { frame: ReceivedFrame; judged: Judged },
): Promise<void> {
  const applied = {
    partition: frame.partition,
    position: judged.position,
    firstOrdinal: judged.firstOrdinal,
    records: judged.records,
  }
  const view = tryOpen(frame)
  if (view === null) {
    rollups.apply(applied, null)
    return
  }
  const [series] = await registry.resolve([view.reader.seriesKeys()])
  rollups.apply(applied, { view, series: series ?? [], verdicts: judged.verdicts })
}

function tryOpen(frame: ReceivedFrame): ReturnType<typeof openFrame> | null {
  try {
    return openFrame(frame.payload, frame.header.records)
  } catch (error) {
    // It was dead-lettered as a whole when it was read first.
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Reads along the index event_journal_order; what lies between the two ordinals is about a second of frames. */
async function selectJudged(
  database: Queryable,
  { partition, flushedOrdinal, nextOrdinal }: AssignedPartition,
): Promise<Map<string, Judged>> {
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
