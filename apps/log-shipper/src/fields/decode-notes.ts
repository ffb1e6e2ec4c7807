import { LOG_FLAGS } from '../records/log-record.js'

/** What was changed in the values of a record, or of a whole request, while they were decoded. */
export interface DecodeNotes {
  /** A text was not valid UTF-8. */
  isRepaired: boolean
  /** Something was nested too deep. */
  isDepthCut: boolean
  /** A name occurred more than once in one object. */
  isRepeated: boolean
}

/** Notes of a record in which nothing was changed. */
export function createNotes(): DecodeNotes {
  return { isRepaired: false, isDepthCut: false, isRepeated: false }
}

/** The bits of `LOG_FLAGS` for these notes. */
export function flagsOf(notes: DecodeNotes): number {
  return (
    (notes.isRepaired ? LOG_FLAGS.utf8Repaired : 0) |
    (notes.isDepthCut ? LOG_FLAGS.depthCut : 0) |
    (notes.isRepeated ? LOG_FLAGS.keysRepeated : 0)
  )
}
