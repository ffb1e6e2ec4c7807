/** What decides how many of a partition's oldest frames may go before their age says so. */
export interface TrimFacts {
  /** Frames in the partition. */
  readonly frames: number
  /** Records in a frame, on average. */
  readonly recordsPerFrame: number
  /** This partition's part of the window. */
  readonly windowRecords: number
  readonly usedBytes: number
  readonly ceilingBytes: number | undefined
  /** Share of the ceiling above which memory decides. */
  readonly memoryShare: number
}

/** How many of the oldest frames should go; the slowest group sets the bound elsewhere. */
export function planTrim(facts: TrimFacts): number {
  const beyondWindow = facts.frames - Math.ceil(facts.windowRecords / Math.max(1, facts.recordsPerFrame))
  return Math.max(0, beyondWindow, beyondMemory(facts))
}

/** The part of the frames that would bring memory back to the share, if the stream were all that the server holds. */
function beyondMemory({ frames, usedBytes, ceilingBytes, memoryShare }: TrimFacts): number {
  if (ceilingBytes === undefined) return 0
  const allowedBytes = ceilingBytes * memoryShare
  return usedBytes <= allowedBytes ? 0 : Math.ceil(frames * (1 - allowedBytes / usedBytes))
}
