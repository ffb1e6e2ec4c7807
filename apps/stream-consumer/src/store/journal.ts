import type { CopyStep } from '@millrace/database'
import { BinaryTuples } from './binary-tuples.js'
import { type PreparedFrame, VERDICT } from './prepared-batch.js'

// committed_at has a default: the time of the transaction by PostgreSQL's clock.
const COLUMNS = [
  'partition',
  'producer',
  'sequence',
  'first_ordinal',
  'records',
  'duplicates',
  'dead_lettered',
  'position',
  'verdicts',
  'hashes',
  'hashes_have_users',
]

/** One journal row for each frame. Copied through the parent table: the day partition depends on PostgreSQL's clock. */
export function journalStep(frames: readonly PreparedFrame[]): CopyStep {
  const tuples = new BinaryTuples(frames.reduce((bytes, { frame }) => bytes + 160 + 9 * frame.records, 0))
  for (const prepared of frames) {
    const { frame } = prepared
    tuples
      .begin(COLUMNS.length)
      .int2(frame.partition)
      .uuid(frame.producer)
      .int8(frame.sequence)
      .int8(frame.firstOrdinal)
      .int4(frame.records)
      .int4(prepared.duplicates)
      .int4(prepared.deadLettered)
      .text(frame.position)
      .bytes(prepared.verdicts)
      .bytes(new Uint8Array(prepared.hashes.buffer))
      .bool(true)
  }
  return { copy: { table: 'event_journal', columns: COLUMNS }, chunks: [tuples.finish()] }
}

/** The hashes of a journal row without those of dead-lettered records, whose ids may be used again. */
export function rememberedHashes(hashes: Buffer, verdicts: Buffer | null): Int32Array {
  const words = new Int32Array(hashes.length / 4)
  hashes.copy(new Uint8Array(words.buffer))
  if (verdicts === null) return words
  let end = 0
  for (let record = 0; record < verdicts.length; record++) {
    if (verdicts[record] === VERDICT.deadLettered) continue
    words[end++] = words[2 * record] as number
    words[end++] = words[2 * record + 1] as number
  }
  return words.subarray(0, end)
}
