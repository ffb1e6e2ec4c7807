import type { PartitionDescription, Position } from '../driver/stream-driver.js'
import { decodeFrameHeader, type FrameHeader } from '../frame/frame.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { PartitionState } from './partition-state.js'
import { recordsPerFrame, StreamTrimmer } from './stream-trimmer.js'

/** Newest frames whose headers are read to compute the lag in records. */
const TAIL_FRAMES = 4

/**
 * Background work for the partitions of this member: shows positions to the stream's own tools, measures lag, trims old frames. No commit waits
 * for it, and a failure is tried again in the next round.
 */
export class Maintenance<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  /** What was shown last of each partition. A new epoch is shown again: meanwhile another member may have shown something else. */
  readonly #mirrored = new Map<number, { readonly epoch: number; readonly position: Position }>()
  readonly #trimmer: StreamTrimmer<Prepared, Tx>
  /** Actions whose last run failed. */
  readonly #failing = new Set<string>()
  #nextForgetMs = 0

  constructor(context: ConsumerContext<Prepared, Tx>) {
    this.#context = context
    this.#trimmer = new StreamTrimmer(context)
  }

  /** Never rejects. Each work is done even when another one fails: a full server refuses to copy positions, and only trimming frees its memory. */
  async run(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    if (states.size === 0) return
    await this.#attempt('measuring the lag', () => this.#observe(states))
    await this.#attempt('trimming the stream', () => this.#trimmer.run(states))
    await this.#attempt('forgetting silent producers', () => this.#forgetProducers([...states.keys()]))
  }

  /** Logs the first of several failures in a row. */
  async #attempt(action: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#failing.delete(action)
    } catch (error) {
      if (!this.#failing.has(action))
        this.#context.logger.warn('maintenance of the stream failed; it is tried again', { action, error })
      this.#failing.add(action)
    }
  }

  async #observe(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    const { driver, stream } = this.#context.config
    const askedAtMs = Date.now()
    for (const description of await driver.describe(stream, [...states.keys()]))
      await this.#measure(states.get(description.partition) as PartitionState, description, askedAtMs)
    await this.#showPositions([...states.values()])
  }

  /** Shows the positions to the stream's own tools once more, before the partitions are given up. Never rejects. */
  async showPositions(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    await this.#attempt('showing the last positions', () => this.#showPositions([...states.values()]))
  }

  async #showPositions(held: readonly PartitionState[]): Promise<void> {
    const { driver, stream, group } = this.#context.config
    const moved = held.filter(({ partition, epoch, committedPosition }) => {
      const shown = this.#mirrored.get(partition)
      return shown?.epoch !== epoch || shown.position !== committedPosition
    })
    const mirrors = moved.map(({ partition, epoch, committedPosition: position, committedFrames: framesRead }) => ({
      epoch,
      mirror: { partition, position, framesRead },
    }))
    if (mirrors.length === 0) return
    await driver.mirrorGroup(
      stream,
      group,
      mirrors.map(({ mirror }) => mirror),
    )
    for (const { epoch, mirror } of mirrors) this.#mirrored.set(mirror.partition, { epoch, position: mirror.position })
  }

  async #measure(state: PartitionState, description: PartitionDescription, askedAtMs: number): Promise<void> {
    const { config, metrics } = this.#context
    const { partition } = state
    const order = config.driver.comparePositions(description.last, state.committedPosition)
    // Nothing is left to read when the stream itself has removed all frames, read or not.
    const isAtEnd = order <= 0 || description.frames === 0
    // A stream that ends before the committed position may be on a new server, with frames that nobody has read yet.
    if (order === 0 || description.frames === 0) state.noteEnd(askedAtMs)
    const lagFrames = isAtEnd
      ? 0
      : description.framesEver === undefined
        ? undefined
        : Math.min(description.frames, Math.max(0, description.framesEver - state.committedFrames))
    state.lagRecords = isAtEnd ? 0 : await this.#lagRecords(state, lagFrames)
    const seconds = isAtEnd ? 0 : ageSeconds(state.watermarkMaxMs, askedAtMs)
    metrics?.lag(partition, { frames: lagFrames, records: state.lagRecords, seconds })
  }

  /**
   * The headers of the newest frames say how many records their producers have sent; the lag is the part that is not committed. Producers without
   * a frame among the newest are not counted, so a long lag of many producers is estimated from the number of frames.
   */
  async #lagRecords(state: PartitionState, lagFrames: number | undefined): Promise<number> {
    const { driver, stream } = this.#context.config
    const sent = new Map<string, number>()
    for (const { bytes } of await driver.tail(stream, state.partition, TAIL_FRAMES)) {
      const header = tryDecodeHeader(bytes)
      if (header && header.cumulativeRecords > (sent.get(header.producer) ?? 0))
        sent.set(header.producer, header.cumulativeRecords)
    }
    let unread = 0
    for (const [producer, records] of sent) unread += Math.max(0, records - state.recordsOf(producer))
    const estimate =
      sent.size > 1 && lagFrames !== undefined && lagFrames > TAIL_FRAMES ? lagFrames * recordsPerFrame(state) : 0
    return Math.round(Math.max(unread + state.nextOrdinal - state.committedOrdinal, estimate))
  }

  /**
   * Forgets producers that were silent for `producerMemoryMs` and that have no frame in the stream, so no frame of them can be read again. If such a
   * producer still had frames in a spool, they would count as new and the sequences before them as lost.
   */
  async #forgetProducers(held: readonly number[]): Promise<void> {
    const { config, settings, table, now } = this.#context
    if (now() < this.#nextForgetMs) return
    this.#nextForgetMs = now() + settings.forgetMs
    const memoryMs = Math.max(settings.producerMemoryMs, settings.windowMs)
    const { driver, stream } = config
    const young: number[] = []
    for (const { partition, first, frames } of await driver.describe(stream, held)) {
      const old = await driver.positionAt(stream, partition, Date.now() - memoryMs)
      if (frames === 0 || driver.comparePositions(first, old) > 0) young.push(partition)
    }
    if (young.length > 0) await table.forgetProducers(young, memoryMs)
  }
}

/** Undefined before the first frame. The clocks of the stream and of this machine may differ. */
function ageSeconds(timeMs: number, nowMs: number): number | undefined {
  return Number.isFinite(timeMs) ? Math.max(0, nowMs - timeMs) / 1000 : undefined
}

function tryDecodeHeader(bytes: Buffer): FrameHeader | undefined {
  try {
    return decodeFrameHeader(bytes)
  } catch {
    return undefined
  }
}
