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

/** Turns what the stream gave into frames that are new to the group: unpacks, drops what was seen, notices what is missing. */
export class FrameFilter {
  readonly #deps: FilterDeps

  constructor(deps: FilterDeps) {
    this.#deps = deps
  }

  /** Undefined for a frame that was seen before and for an entry that is no frame; either moves the position. */
  take(stored: StoredFrame, state: PartitionState): NewFrame | undefined {
    const { driver, metrics } = this.#deps
    metrics?.readFrames.inc()
    const isReread = driver.comparePositions(stored.position, state.position) <= 0
    if (!isReread) state.advance(stored.position, stored.appendedAtMs)
    const { partition, position, appendedAtMs } = stored
    try {
      const header = decodeFrameHeader(stored.bytes)
      // Before the sequence is counted: a damaged payload shows as a gap when its producer's next frame comes.
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
      this.#deps.logger.error('frames that a producer has sealed are missing in the stream', {
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
    this.#deps.logger.error('an entry of the stream is no whole frame and is passed over', {
      partition,
      position,
      bytes: bytes.length,
      error,
    })
  }
}
