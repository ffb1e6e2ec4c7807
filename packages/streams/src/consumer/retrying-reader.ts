import { setTimeout as sleep } from 'node:timers/promises'
import type { ReadLimits, StoredFrame, StreamReader } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { isRegressed } from './load-partitions.js'
import type { PartitionState } from './partition-state.js'

const PAUSE_FIRST_MS = 20
const PAUSE_LAST_MS = 1000

/** Reads the stream and retries while it does not answer. Leases and state are kept meanwhile: a stream that is down is no failure of the session. */
export class RetryingReader<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #reader: StreamReader
  readonly #states: ReadonlyMap<number, PartitionState>
  #pauseMs = PAUSE_FIRST_MS

  constructor(
    context: ConsumerContext<Prepared, Tx>,
    reader: StreamReader,
    states: ReadonlyMap<number, PartitionState>,
  ) {
    this.#context = context
    this.#reader = reader
    this.#states = states
  }

  /** Empty while the stream cannot be reached. @throws when the stream has come back without its newest frames. */
  async read(limits: ReadLimits): Promise<StoredFrame[]> {
    const { logger, settings } = this.#context
    if (this.#states.size === 0) {
      await sleep(Math.min(limits.blockMs, settings.heartbeatMs / 4))
      return []
    }
    try {
      const frames = await this.#reader.read(limits)
      if (this.#pauseMs > PAUSE_FIRST_MS) logger.info('the stream can be read again')
      this.#pauseMs = PAUSE_FIRST_MS
      return frames
    } catch (error) {
      if (!streamErrors.STREAM_UNAVAILABLE.matches(error)) throw error
      if (this.#pauseMs === PAUSE_FIRST_MS) logger.warn('the stream cannot be read; it is tried again', { error })
      await sleep(Math.min(this.#pauseMs, limits.blockMs))
      this.#pauseMs = Math.min(PAUSE_LAST_MS, this.#pauseMs * 2)
      await this.#seekAgain()
      return []
    }
  }

  /** After a lost connection another server may answer, one that lacks the newest frames. */
  async #seekAgain(): Promise<void> {
    const { driver, stream } = this.#context.config
    const descriptions = await driver.describe(stream, [...this.#states.keys()]).catch(() => [])
    for (const description of descriptions) {
      const state = this.#states.get(description.partition)
      if (state === undefined) continue
      if (isRegressed(this.#context, state.position, description)) {
        throw streamErrors.STREAM_UNAVAILABLE({
          message: 'the stream has lost its newest frames',
          details: { partition: state.partition },
        })
      }
      this.#reader.seek(state.partition, driver.safeStart(state.position))
    }
  }
}
