import type { CopyStep } from '@millrace/database'
import { BinaryTuples } from './binary-tuples.js'
import { type PreparedFrame, VERDICT } from './prepared-batch.js'

// committed_at is left to its default, the transaction's time by PostgreSQL's clock.
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
]

/** One journal row a frame, by COPY through the parent table: the day is the transaction's, which we cannot know beforehand. */
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
  }
  return { copy: { table: 'event_journal', columns: COLUMNS }, chunks: [tuples.finish()] }
}

/** The hashes of a journal row without those of records that were dead-lettered, whose ids may come again. */
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
