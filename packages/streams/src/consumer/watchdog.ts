import type { PartitionDescription, Position } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { type Stall, StallDetector, type StallStep, type WatchedSession } from './stall-detector.js'

const STEPS: readonly StallStep[] = ['rebuild_reader', 'leave_group', 'alarm']

/** Observations within `stallAfterMs`. */
const OBSERVATIONS = 10

/**
 * Watches one member of a group: a client of the stream may stop returning frames without an error, and then only the lag shows it. A stall ends the
 * session with STREAM_STALLED; `takeStep` says what to do next. Nothing is a stall while partitions are blocked or the stream does not answer, since
 * those have their own handling.
 */
export class Watchdog<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #detector: StallDetector
  #session: WatchedSession | undefined
  /** The check that waits for the stream, with its start. */
  #checking: { readonly sinceMs: number } | undefined
  /** The stall that has not ended yet, and the number of steps taken against it. */
  #open: Stall | undefined
  #steps = 0

  constructor(context: ConsumerContext<Prepared, Tx>) {
    const { config, settings, now } = context
    this.#context = context
    const readMsMax = Math.min(settings.blockMs, settings.idleCommitMs)
    this.#detector = new StallDetector(
      { stallAfterMs: settings.stallAfterMs, readMsMax },
      { driver: config.driver, now },
    )
  }

  get checkEveryMs(): number {
    return this.#context.settings.stallAfterMs / OBSERVATIONS
  }

  /**
   * Never rejects. Does nothing while an earlier check waits for the stream, but one that waits for longer than `stallAfterMs` is forgotten.
   * `session` is undefined while there is nothing to watch.
   */
  async check(session: WatchedSession | undefined): Promise<void> {
    const { now, settings } = this.#context
    if (this.#checking !== undefined && now() - this.#checking.sinceMs < settings.stallAfterMs) return
    const own = { sinceMs: now() }
    this.#checking = own
    await this.#check(session, () => this.#checking === own)
    if (this.#checking === own) this.#checking = undefined
  }

  /** Partitions that cannot be read although all steps were taken. */
  get alarmed(): number[] {
    const isAlarm = this.#open !== undefined && this.#steps >= STEPS.length
    return isAlarm ? [...(this.#open?.partitions.keys() ?? [])].sort((a, b) => a - b) : []
  }

  /** The next step against the stall that has ended the session. Logs and counts it. */
  takeStep(error: unknown): StallStep {
    const step = STEPS[Math.min(this.#steps++, STEPS.length - 1)] as StallStep
    const { logger, metrics, settings } = this.#context
    metrics?.stalls(step).inc()
    const facts = { error, stallAfterMs: settings.stallAfterMs }
    if (step === 'rebuild_reader')
      logger.warn('the stream has frames that are not being read; a new reader is opened', facts)
    if (step === 'leave_group') logger.warn('a new reader has not helped; this member leaves the group', facts)
    if (step === 'alarm') {
      metrics?.stalledPartitions.set(Math.max(1, this.#open?.partitions.size ?? 0))
      logger.error('this member cannot read frames that are in the stream; it leaves the group again', facts)
    }
    return step
  }

  async #check(session: WatchedSession | undefined, isCurrent: () => boolean): Promise<void> {
    if (session !== this.#session) this.#detector.reset()
    this.#session = session
    if (session === undefined || session.states.size === 0) return this.#detector.reset()
    const { driver, stream } = this.#context.config
    try {
      const descriptions = await driver.describe(stream, [...session.states.keys()])
      if (!isCurrent()) return
      this.#closeStall(session, descriptions)
      const stall = this.#detector.observe(session, descriptions)
      const partitions = await this.#withNewestUnread(stall.partitions)
      if (!isCurrent() || (partitions.size === 0 && !stall.isReadHung)) return
      this.#detector.reset()
      this.#open = { partitions, isReadHung: stall.isReadHung }
      const details = { partitions: [...partitions.keys()].sort((a, b) => a - b), isReadHung: stall.isReadHung }
      session.abort(streamErrors.STREAM_STALLED({ details }))
    } catch {
      // The stream does not answer: the reader notices it as well, and waits for the stream.
      this.#detector.reset()
    }
  }

  /** Only partitions whose newest frame exists and was not read: a description may name a position whose frame was removed. */
  async #withNewestUnread(partitions: ReadonlyMap<number, Position>): Promise<Map<number, Position>> {
    const { driver, stream } = this.#context.config
    const unread = new Map<number, Position>()
    for (const [partition, position] of partitions) {
      const [newest] = await driver.tail(stream, partition, 1)
      if (newest !== undefined && driver.comparePositions(newest.position, position) > 0)
        unread.set(partition, position)
    }
    return unread
  }

  /** A stall has ended when each of its partitions is described and has moved, has no unread frames or is held by another member, and reads end. */
  #closeStall({ states, reads }: WatchedSession, descriptions: readonly PartitionDescription[]): void {
    if (this.#open === undefined) return
    const { driver } = this.#context.config
    const described = new Set(descriptions.map(({ partition }) => partition))
    const isUnknown = [...this.#open.partitions.keys()].some((one) => states.has(one) && !described.has(one))
    if (isUnknown) return
    const standsStill = descriptions.some(({ partition, last, frames }) => {
      const stalledAt = this.#open?.partitions.get(partition)
      const state = states.get(partition)
      if (stalledAt === undefined || state === undefined) return false
      return state.position === stalledAt && frames > 0 && driver.comparePositions(last, stalledAt) > 0
    })
    if (standsStill || (this.#open.isReadHung && reads.ended === 0)) return
    this.#context.logger.info('no partition of this member is stalled any more', {
      partitions: [...this.#open.partitions.keys()],
    })
    this.#context.metrics?.stalledPartitions.set(0)
    this.#open = undefined
    this.#steps = 0
  }
}
