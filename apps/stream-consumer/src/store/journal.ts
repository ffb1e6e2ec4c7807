import type { CopyStep } from '@millrace/database'
import { BinaryTuples } from './binary-tuples.js'
import { WORDS } from './frame-view.js'
import type { PreparedFrame } from './prepared-batch.js'

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
      .bytes(encodeHashes(prepared))
  }
  return { copy: { table: 'event_journal', columns: COLUMNS }, chunks: [tuples.finish()] }
}

/** Eight bytes a record, low lane first, little-endian. Zeros where the payload could not be read. */
function encodeHashes({ frame, view }: PreparedFrame): Uint8Array {
  const hashes = new Uint32Array(2 * frame.records)
  if (view !== null) {
    for (let i = 0, at = 0; i < hashes.length; i += 2, at += WORDS) {
      hashes[i] = view.words[at] as number
      hashes[i + 1] = view.words[at + 1] as number
    }
  }
  return new Uint8Array(hashes.buffer)
}

/** Calls `visit` for each record of a journal row that was not dead-lettered: those are the ones the window must know. */
export function forEachRemembered(
  hashes: Buffer,
  verdicts: Buffer | null,
  visit: (lo: number, hi: number) => void,
): void {
  for (let record = 0, at = 0; at + 8 <= hashes.length; record++, at += 8) {
    if (verdicts !== null && verdicts[record] === 2) continue
    visit(hashes.readUInt32LE(at), hashes.readUInt32LE(at + 4))
  }
}
