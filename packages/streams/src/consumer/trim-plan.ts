import type { StreamMemory } from '../driver/stream-driver.js'

/** The figures that decide how many of a partition's oldest frames are trimmed before they reach their maximum age. */
export interface TrimFacts {
  /** Frames in the partition. */
  readonly frames: number
  /** Average records in a frame. */
  readonly recordsPerFrame: number
  /** Records to keep in this partition. */
  readonly windowRecords: number
  readonly usedBytes: number
  readonly ceilingBytes: number | undefined
  /** Above this share of the ceiling, frames are trimmed to free memory. */
  readonly memoryShare: number
}

/** How many of the oldest frames to trim. The caller makes sure that no frame is trimmed that a group has not flushed. */
export function planTrim(facts: TrimFacts): number {
  const beyondWindow = facts.frames - Math.ceil(facts.windowRecords / Math.max(1, facts.recordsPerFrame))
  return Math.max(0, beyondWindow, beyondMemory(facts))
}

/** Whether the stream's server uses more than this share of its memory ceiling. */
export function isAboveShare({ usedBytes, ceilingBytes }: StreamMemory, share: number): boolean {
  return ceilingBytes !== undefined && usedBytes > ceilingBytes * share
}

/** The frames to trim so that memory falls to the share, if the server held nothing but the stream. */
function beyondMemory({ frames, usedBytes, ceilingBytes, memoryShare }: TrimFacts): number {
  if (ceilingBytes === undefined) return 0
  const allowedBytes = ceilingBytes * memoryShare
  return usedBytes <= allowedBytes ? 0 : Math.ceil(frames * (1 - allowedBytes / usedBytes))
}
