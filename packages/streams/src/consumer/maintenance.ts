import type { PartitionDescription, Position } from '../driver/stream-driver.js'
import { decodeFrameHeader, type FrameHeader } from '../frame/frame.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { PartitionState } from './partition-state.js'
import { planTrim } from './trim-plan.js'

/** Newest frames whose headers are read to compute the lag in records. */
const TAIL_FRAMES = 4

/**
 * Background work for the partitions of this member: shows positions to the stream's own tools, measures lag, trims old frames. No commit waits
 * for it, and a failure is tried again in the next round.
 */
export class Maintenance<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #mirrored = new Map<number, Position>()
  #nextTrimMs = 0
  #nextForgetMs = 0
  #isFailing = false

  constructor(context: ConsumerContext<Prepared, Tx>) {
    this.#context = context
  }

  /** Never rejects. */
  async run(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    const { logger, now, settings } = this.#context
    if (states.size === 0) return
    try {
      await this.#observe(states)
      if (now() >= this.#nextTrimMs) {
        this.#nextTrimMs = now() + settings.maintenanceMs
        await this.#trim(states)
        await this.#forgetProducers([...states.keys()])
      }
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) logger.warn('measuring the lag or trimming the stream failed; it is tried again', { error })
      this.#isFailing = true
    }
  }

  async #observe(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    const { driver, stream, group } = this.#context.config
    const askedAtMs = Date.now()
    const held = [...states.values()]
    const descriptions = await driver.describe(
      stream,
      held.map(({ partition }) => partition),
    )
    for (const [index, state] of held.entries())
      await this.#measure(state, descriptions[index] as PartitionDescription, askedAtMs)
    const moved = held.filter(({ partition, committedPosition }) => this.#mirrored.get(partition) !== committedPosition)
    const mirrors = moved.map(({ partition, committedPosition: position, committedFrames: framesRead }) => ({
      partition,
      position,
      framesRead,
    }))
    if (mirrors.length > 0) await driver.mirrorGroup(stream, group, mirrors)
    for (const { partition, position } of mirrors) this.#mirrored.set(partition, position)
  }

  async #measure(state: PartitionState, description: PartitionDescription, askedAtMs: number): Promise<void> {
    const { config, metrics } = this.#context
    const { partition } = state
    const isAtEnd = config.driver.comparePositions(description.last, state.committedPosition) <= 0
    if (isAtEnd) state.noteEnd(askedAtMs)
    const lagFrames = isAtEnd
      ? 0
      : description.framesEver === undefined
        ? undefined
        : Math.max(0, description.framesEver - state.committedFrames)
    state.lagRecords = isAtEnd ? 0 : await this.#lagRecords(state, lagFrames)
    metrics?.lag(partition, lagFrames, state.lagRecords)
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

  async #trim(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    const { config, settings, table, metrics } = this.#context
    const { driver, stream } = config
    const memory = await driver.memory()
    metrics?.memoryUsed.set(memory.usedBytes)
    metrics?.memoryCeiling.set(memory.ceilingBytes ?? 0)
    const flushed = await table.flushedPositions([...states.keys()])
    for (const state of states.values()) {
      const { partition } = state
      const positions = flushed.filter((row) => row.partition === partition).map(({ position }) => position)
      const slowest = positions.reduce((a, b) => (driver.comparePositions(a, b) <= 0 ? a : b))
      // A little before the flushed position: after a failover the stream may hold frames there that nobody has read.
      const before = driver.safeStart(slowest)
      const old = await driver.positionAt(stream, partition, Date.now() - settings.windowMs)
      let trimmed = await driver.trim(stream, partition, {
        before: driver.comparePositions(old, before) < 0 ? old : before,
      })
      const [description] = await driver.describe(stream, [partition])
      const framesMax = planTrim({
        frames: description?.frames ?? 0,
        recordsPerFrame: recordsPerFrame(state),
        windowRecords: settings.windowRecords / settings.partitions,
        ...memory,
        memoryShare: settings.trimMemoryShare,
      })
      if (framesMax > 0) trimmed += await driver.trim(stream, partition, { before, framesMax })
      metrics?.trimmedFrames.inc(trimmed)
    }
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

/** The average since the group began. An average that is too low keeps more frames than needed, which is harmless. */
function recordsPerFrame({ committedOrdinal, committedFrames }: PartitionState): number {
  return committedFrames === 0 ? 1 : Math.max(1, committedOrdinal / committedFrames)
}

function tryDecodeHeader(bytes: Buffer): FrameHeader | undefined {
  try {
    return decodeFrameHeader(bytes)
  } catch {
    return undefined
  }
}
