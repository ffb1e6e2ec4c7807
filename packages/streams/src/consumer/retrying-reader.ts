import { setTimeout as sleep } from 'node:timers/promises'
import type { PartitionDescription, ReadLimits, StoredFrame, StreamReader } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { isRegressed } from './load-partitions.js'
import { PartitionProbe } from './partition-probe.js'
import type { PartitionState } from './partition-state.js'
import type { ReadCounts } from './stall-detector.js'

const PAUSE_FIRST_MS = 20
const PAUSE_LAST_MS = 1000
/** Reads that have failed are logged once until none has failed for this long, in ms: while one partition has no leader, every other read may fail. */
const CALM_AFTER_MS = 5000

/** Reads the stream and retries while it does not answer. Leases and state are kept meanwhile: a stream that is down is no failure of the session. */
export class RetryingReader<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #reader: StreamReader
  readonly #states: ReadonlyMap<number, PartitionState>
  #started = 0
  #ended = 0
  #endedMs = 0
  #startedAtMs = 0
  #pauseMs = PAUSE_FIRST_MS
  /** When a read last failed; undefined when none has failed for some time. */
  #failedAtMs: number | undefined
  #rejectRead: ((error: Error) => void) | undefined
  #isAborted = false
  /** Partitions that are not read until they can be described again: the stream may have lost their newest frames. */
  readonly #probe: PartitionProbe<Prepared, Tx>
  /** What the descriptions have shown while no read was under way. */
  #failure: Error | undefined

  constructor(
    context: ConsumerContext<Prepared, Tx>,
    reader: StreamReader,
    states: ReadonlyMap<number, PartitionState>,
  ) {
    this.#context = context
    this.#reader = reader
    this.#states = states
    this.#probe = new PartitionProbe(context, (descriptions) => this.#continueLater(descriptions))
  }

  get reads(): ReadCounts {
    const isReading = this.#started > this.#ended
    const totalMs = this.#endedMs + (isReading ? this.#context.now() - this.#startedAtMs : 0)
    return { started: this.#started, ended: this.#ended, totalMs }
  }

  /** Empty while the stream cannot be reached. @throws when the stream has come back without its newest frames, and what `abort` is given. */
  async read(limits: ReadLimits): Promise<StoredFrame[]> {
    this.#started++
    this.#startedAtMs = this.#context.now()
    try {
      if (this.#failure !== undefined) throw this.#failure
      return await new Promise((resolve, reject) => {
        this.#rejectRead = reject
        this.#readOrRetry(limits).then(resolve, reject)
      })
    } finally {
      this.#rejectRead = undefined
      this.#ended++
      this.#endedMs += this.#context.now() - this.#startedAtMs
    }
  }

  /** Ends a read that is under way, even if the driver never answers. Do not read again afterwards. */
  abort(error: Error): void {
    this.#isAborted = true
    this.#rejectRead?.(error)
  }

  remove(partition: number): void {
    this.#probe.delete(partition)
    this.#reader.remove(partition)
  }

  /** The caller closes the reader that it has given. */
  close(): void {
    this.#probe.close()
  }

  async #readOrRetry(limits: ReadLimits): Promise<StoredFrame[]> {
    const { logger, metrics, now, settings } = this.#context
    if (this.#states.size === this.#probe.size) {
      await sleep(Math.min(limits.blockMs, settings.heartbeatMs / 4))
      return []
    }
    const startedAtMs = now()
    try {
      const frames = await this.#reader.read(limits)
      if (frames.length > 0) metrics?.readReturned.observe((now() - startedAtMs) / 1000)
      this.#pauseMs = PAUSE_FIRST_MS
      if (this.#failedAtMs !== undefined && now() - this.#failedAtMs >= CALM_AFTER_MS) {
        this.#failedAtMs = undefined
        logger.info('the stream can be read again')
      }
      return frames
    } catch (error) {
      metrics?.readFailed.observe((now() - startedAtMs) / 1000)
      if (this.#isAborted || !streamErrors.STREAM_UNAVAILABLE.matches(error)) throw error
      if (this.#failedAtMs === undefined) logger.warn('the stream cannot be read; it is tried again', { error })
      this.#failedAtMs = now()
      await sleep(Math.min(this.#pauseMs, limits.blockMs))
      this.#pauseMs = Math.min(PAUSE_LAST_MS, this.#pauseMs * 2)
      await this.#seekAgain()
      return []
    }
  }

  /** After a lost connection another server may answer, one that lacks the newest frames. */
  async #seekAgain(): Promise<void> {
    const { driver, stream } = this.#context.config
    const partitions = [...this.#states.keys()].filter((partition) => !this.#probe.has(partition))
    const descriptions = await driver.describe(stream, partitions).catch(() => undefined)
    if (descriptions === undefined) return
    this.#continue(descriptions)
    const described = new Set(descriptions.map(({ partition }) => partition))
    const missing = partitions.filter((partition) => this.#states.has(partition) && !described.has(partition))
    for (const partition of missing) this.#reader.remove(partition)
    this.#probe.add(missing)
  }

  #continueLater(descriptions: readonly PartitionDescription[]): void {
    try {
      this.#continue(descriptions)
    } catch (error) {
      this.#failure = error as Error
      this.abort(this.#failure)
    }
  }

  /** @throws when one of the partitions has lost its newest frames */
  #continue(descriptions: readonly PartitionDescription[]): void {
    const { driver } = this.#context.config
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
