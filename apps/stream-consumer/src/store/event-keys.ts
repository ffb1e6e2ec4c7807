import { type FrameView, WORD, WORDS } from './frame-view.js'

/**
 * The keys by which the records of a frame are deduplicated: for each one the hash of tenant, user and message id in
 * two words, low word first, in the form of the journal and the deduplication window. An unreadable frame has zeros.
 *
 * They are made from the hashes of message id and user. The user's words are swapped and mixed first, so that events
 * whose message id is the id of their user, or of another event's user, have keys of their own.
 */
export function eventKeys(records: number, view: FrameView | null): Int32Array {
  const keys = new Int32Array(2 * records)
  if (view === null) return keys
  const { words } = view
  for (let i = 0, at = 0; i < keys.length; i += 2, at += WORDS) {
    const userLo = words[at + WORD.userHashLo] as number
    const userHi = words[at + WORD.userHashHi] as number
    keys[i] = (words[at + WORD.messageHashLo] as number) ^ Math.imul(userHi ^ (userHi >>> 16), 0x9e3779b1)
    keys[i + 1] = (words[at + WORD.messageHashHi] as number) ^ Math.imul(userLo ^ (userLo >>> 16), 0x85ebca6b)
  }
  return keys
}
