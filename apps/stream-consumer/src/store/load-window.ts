import type { Queryable } from '@millrace/database'
import type { HashWindow } from '../deduplicate/hash-window.js'
import { rememberedHashes } from './journal.js'

/** Journal rows in one result. At full load a row has about a thousand ids. */
const ROWS_A_CHUNK = 250

interface JournalRow {
  first_ordinal: bigint
  committed_at: Date
  verdicts: Buffer | null
  hashes: Buffer
  /** False for a row from before users were part of the hashes. */
  hashes_have_users: boolean
}

/** The part of a partition's journal to load. */
export interface WindowSpan {
  readonly partition: number
  /** The ordinal after the partition's last committed record. */
  readonly nextOrdinal: number
  readonly windowMs: number
  /** Maximum of ids; the newest are loaded. */
  readonly idsMax: number
}

/**
 * Fills an empty window from the journal, oldest ids first, a few rows at a time. Dead-lettered records are left out,
 * because their ids may be used again. Uses the index event_journal_order, so the cost depends only on what is
 * loaded.
 * @returns the time of the newest row whose hashes are without users, in ms since 1970; -Infinity when there is none.
 */
export async function loadWindow(database: Queryable, window: HashWindow, span: WindowSpan): Promise<number> {
  const firstOrdinal = Math.max(0, span.nextOrdinal - span.idsMax)
  let from = firstOrdinal
  let oldestMs = Number.POSITIVE_INFINITY
  let withoutUsersMs = Number.NEGATIVE_INFINITY
  for (;;) {
    const rows = await selectJournal(database, span, from)
    for (const { committed_at, verdicts, hashes, hashes_have_users } of rows) {
      const timeMs = committed_at.getTime()
      if (!hashes_have_users) withoutUsersMs = Math.max(withoutUsersMs, timeMs)
      oldestMs = Math.min(oldestMs, timeMs)
      const remembered = rememberedHashes(hashes, verdicts)
      window.add(remembered, timeMs, new Uint8Array(remembered.length / 2))
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < ROWS_A_CHUNK) break
    from = Number(last.first_ordinal) + 1
  }
  if (firstOrdinal > 0 && oldestMs !== Number.POSITIVE_INFINITY) window.noteDropped(oldestMs)
  return withoutUsersMs
}

async function selectJournal(
  database: Queryable,
  { partition, windowMs }: WindowSpan,
  from: number,
): Promise<JournalRow[]> {
  const { rows } = await database.query<JournalRow>({
    name: 'select_window',
    text: `select first_ordinal, committed_at, verdicts, hashes, hashes_have_users from event_journal
           where partition = $1 and first_ordinal >= $2 and records > 0 and committed_at > now() - $3 * interval '1 millisecond'
           order by first_ordinal limit ${ROWS_A_CHUNK}`,
    values: [partition, from, windowMs],
  })
  return rows
}
