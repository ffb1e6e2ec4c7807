import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@millrace/logger'
import type { Spool } from '@millrace/spool'
import type { FrameToAppend } from '../driver/stream-driver.js'
import type { FrameSender } from './frame-sender.js'

const WINDOW_FRAMES = 1024
const WINDOW_BYTES = 4 * 1024 * 1024

interface DrainConfig {
  /** Pause after a round in which the stream took no frame, in ms: doubled from the first to the last. */
  readonly pauseFirstMs: number
  readonly pauseLastMs: number
}

interface DrainDeps {
  readonly spool: Spool<FrameToAppend>
  readonly sender: FrameSender
  readonly logger: Logger
  /** The stream holds the frame. */
  readonly held: (frame: FrameToAppend) => void
  /** The spool holds no more frames of these partitions. */
  readonly emptied: (partitions: readonly number[]) => void
}

/**
 * Sends the frames in the spool, oldest first, with one frame a partition in flight. Frames are removed a window at a time, so a partition whose
 * frames the stream does not take delays the frames behind the window.
 */
export class SpoolDrain {
  readonly #config: DrainConfig
  readonly #deps: DrainDeps
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(config: DrainConfig, deps: DrainDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Runs until the spool is empty; does nothing when it runs already. */
  start(): void {
    if (this.#running !== undefined || this.#stopping.signal.aborted) return
    this.#running = this.#drain()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#deps.logger.error('the spool could not be drained; it is tried again', { error })
      })
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Resolves after the round trip that is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #drain(): Promise<void> {
    const { spool, logger } = this.#deps
    if (spool.records === 0) return
    const startedAt = performance.now()
    let drained = 0
    while (spool.records > 0 && !this.#stopping.signal.aborted) {
      const window = await spool.read(WINDOW_FRAMES, WINDOW_BYTES)
      if (window.length === 0) {
        // The counted frames are still on their way to the disk.
        await this.#pause(this.#config.pauseFirstMs)
        continue
      }
      await this.#sendWindow(window)
      await spool.removeRead()
      drained += window.length
      const partitions = new Set(window.map(({ partition }) => partition))
      this.#deps.emptied([...partitions].filter((partition) => spool.recordsOf(partition) === 0))
    }
    logger.info('the spool is drained', { frames: drained, seconds: (performance.now() - startedAt) / 1000 })
  }

  async #sendWindow(window: readonly FrameToAppend[]): Promise<void> {
    const queues = new Map<number, FrameToAppend[]>()
    for (const frame of window) {
      const queue = queues.get(frame.partition)
      if (queue) queue.push(frame)
      else queues.set(frame.partition, [frame])
    }
    for (const queue of queues.values()) queue.reverse()
    let pauseMs = this.#config.pauseFirstMs
    while (queues.size > 0) {
      this.#stopping.signal.throwIfAborted()
      const round = [...queues.values()].map((queue) => queue.at(-1) as FrameToAppend)
      const results = await this.#deps.sender.sendDespiteOpenCircuit(round)
      let held = 0
      round.forEach((frame, index) => {
        if (results[index]?.kind !== 'held') return
        held++
        this.#deps.held(frame)
        const queue = queues.get(frame.partition) as FrameToAppend[]
        queue.pop()
        if (queue.length === 0) queues.delete(frame.partition)
      })
      if (held > 0) pauseMs = this.#config.pauseFirstMs
      else {
        await this.#pause(pauseMs)
        pauseMs = Math.min(this.#config.pauseLastMs, pauseMs * 2)
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal })
  }
}
