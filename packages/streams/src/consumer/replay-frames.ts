import { BEGINNING, type StreamDriver } from '../driver/stream-driver.js'
import { decodeFrame } from '../frame/frame.js'
import type { AssignedPartition, ReceivedFrame } from './stream-handler.js'

const LIMITS = { framesMax: 100, bytesMax: 8 * 1024 * 1024, blockMs: 0 }

/** Reads the frames of one partition after `flushedPosition` up to `position`, or to the end of the stream, with a reader of its own. */
export async function* replayFrames(
  driver: StreamDriver,
  stream: string,
  assigned: AssignedPartition,
): AsyncGenerator<ReceivedFrame> {
  const { partition, position, flushedPosition } = assigned
  if (position === BEGINNING || driver.comparePositions(flushedPosition, position) >= 0) return
  const reader = await driver.openReader(stream)
  const seen = new Map<string, number>()
  try {
    reader.seek(partition, flushedPosition)
    for (;;) {
      const frames = await reader.read(LIMITS)
      if (frames.length === 0) return
      for (const stored of frames) {
        if (driver.comparePositions(stored.position, position) > 0) return
        const frame = tryDecode(stored.bytes)
        if (frame === undefined || frame.header.sequence <= (seen.get(frame.header.producer) ?? 0)) continue
        seen.set(frame.header.producer, frame.header.sequence)
        yield { partition, position: stored.position, appendedAtMs: stored.appendedAtMs, ...frame }
      }
    }
  } finally {
    await reader.close()
  }
}

/** Undefined for an entry that is not a valid frame; it was reported when it was read the first time. */
function tryDecode(bytes: Buffer): ReturnType<typeof decodeFrame> | undefined {
  try {
    return decodeFrame(bytes)
  } catch {
    return undefined
  }
}
