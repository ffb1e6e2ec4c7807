import type { Logger } from '@millrace/logger'
import type { StoredFrame, StreamDriver } from '../driver/stream-driver.js'
import { decodeFrameHeader, decodeFramePayload, decodeFrameTraces, type FrameHeader } from '../frame/frame.js'
import type { GroupMetrics } from './consumer-metrics.js'
import type { PartitionState } from './partition-state.js'
import type { NewFrame } from './stream-handler.js'

interface FilterDeps {
  readonly driver: StreamDriver
  readonly logger: Logger
  readonly metrics: GroupMetrics | undefined
}

/** Decodes stored frames, drops frames that the group has seen before, and reports frames that are missing. */
export class FrameFilter {
  readonly #deps: FilterDeps

  constructor(deps: FilterDeps) {
    this.#deps = deps
  }

  /** Undefined for a frame that was seen before and for an entry that is not a valid frame. The position advances in any case. */
  take(stored: StoredFrame, state: PartitionState): NewFrame | undefined {
    const { driver, metrics } = this.#deps
    metrics?.readFrames.inc()
    metrics?.readBytes.inc(stored.bytes.length)
    const isReread = driver.comparePositions(stored.position, state.position) <= 0
    if (!isReread) state.advance(stored.position, stored.appendedAtMs)
    const { partition, position, appendedAtMs } = stored
    try {
      const header = decodeFrameHeader(stored.bytes)
      // The payload is decoded before the sequence is counted: a damaged payload then shows as a gap at the producer's next frame.
      if (!state.isNew(header)) {
        if (!isReread) metrics?.repeatedFrames.inc()
        return undefined
      }
      const payload = decodeFramePayload(stored.bytes, header.rawBytes)
      const firstOrdinal = this.#accept(header, stored, state)
      const { watermarkMaxMs } = state
      const frame = { partition, position, appendedAtMs, watermarkMaxMs, header, payload, firstOrdinal }
      const traces = decodeFrameTraces(stored.bytes)
      return traces === undefined ? frame : { ...frame, traces }
    } catch (error) {
      if (!isReread) this.#reportCorrupt(stored, error)
      return undefined
    }
  }

  #accept(header: FrameHeader, { partition, position }: StoredFrame, state: PartitionState): number {
    const acceptance = state.accept(header)
    if (acceptance.lostFrames > 0) {
      const { producer, sequence } = header
      const { lostFrames, lostRecords } = acceptance
      this.#deps.metrics?.lostRecords.inc(lostRecords)
      this.#deps.logger.error('frames of a producer are missing in the stream; their records are lost', {
        partition,
        position,
        producer,
        sequence,
        lostFrames,
        lostRecords,
      })
    }
    return acceptance.firstOrdinal
  }

  #reportCorrupt({ partition, position, bytes }: StoredFrame, error: unknown): void {
    this.#deps.metrics?.corruptFrames.inc()
    this.#deps.logger.error('an entry of the stream is not a valid frame and is skipped', {
      partition,
      position,
      bytes: bytes.length,
      error,
    })
  }
}
