import { setImmediate } from 'node:timers/promises'

/** Told how many marks were gone through since it was told last. A promise where others are to have the thread first. */
export type Turn = (marks: number) => Promise<void> | undefined

/** A chunk, or a row with a group, takes as long as so many marks besides its own. */
export const CHUNK_MARKS = 20

/** Others wait at most about so long for the thread. */
const TURN_MS = 15
/** Marks after which the clock is looked at: some tenths of a millisecond. */
const MARKS_A_LOOK = 10_000

/** For work whose parts are blocks, each about as long as a chunk. */
export function createBlockTurns(): () => Promise<void> | undefined {
  const turn = createTurns()
  return () => turn(CHUNK_MARKS)
}

/** Lets other work in between, for what goes through many marks. */
export function createTurns(now: () => number = () => performance.now()): Turn {
  let since = now()
  let left = MARKS_A_LOOK
  return (marks) => {
    left -= marks
    if (left > 0) return undefined
    left = MARKS_A_LOOK
    if (now() - since < TURN_MS) return undefined
    return setImmediate().then(() => {
      since = now()
    })
  }
}
