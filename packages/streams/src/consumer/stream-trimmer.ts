import type { Position, StreamMemory } from '../driver/stream-driver.js'
import { decodeFrameHeader } from '../frame/frame.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { FlushedPosition } from './group-table.js'
import type { PartitionState } from './partition-state.js'
import { RetentionWatch } from './retention-watch.js'
import { isAboveShare, planTrim } from './trim-plan.js'

/**
 * Removes frames that every group has flushed from the partitions of this member: at intervals those outside the windows, and at every call as many
 * as keep the stream's server below its share of memory.
 */
export class StreamTrimmer<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #watch: RetentionWatch<Prepared, Tx>
  #nextMs = 0
  /** Until then the server's usage does not show what was trimmed last. */
  #freedAtMs = 0

  constructor(context: ConsumerContext<Prepared, Tx>) {
    this.#context = context
    this.#watch = new RetentionWatch(context)
  }

  async run(states: ReadonlyMap<number, PartitionState>): Promise<void> {
    const { config, settings, table, metrics, now } = this.#context
    const usage = await config.driver.memory()
    metrics?.memoryUsed.set(usage.usedBytes)
    metrics?.memoryCeiling.set(usage.ceilingBytes ?? 0)
    const memory = now() < this.#freedAtMs ? { ...usage, ceilingBytes: undefined } : usage
    if (now() < this.#nextMs && !isAboveShare(memory, settings.trimMemoryShare)) return
    this.#nextMs = now() + settings.maintenanceMs
    const described = await config.driver.describe(config.stream, [...states.keys()])
    const flushed = await table.flushedPositions(described.map(({ partition }) => partition))
    await this.#watch.check(flushed)
    if (isAboveShare(memory, settings.trimMemoryShare)) this.#freedAtMs = now() + (memory.freedAfterMs ?? 0)
    for (const { partition } of described) {
      const state = states.get(partition) as PartitionState
      const own = flushed.filter((one) => one.partition === partition)
      if (own.length === 0) continue
      const trimmed = await this.#trim(state, own, memory)
      metrics?.trimmedFrames.inc(trimmed)
    }
  }

  async #trim(state: PartitionState, groups: readonly FlushedPosition[], memory: StreamMemory): Promise<number> {
    const { config, settings } = this.#context
    const { driver, stream } = config
    const { partition } = state
    const before = await this.#safeBound(groups)
    const old = await driver.positionAt(stream, partition, Date.now() - settings.windowMs)
    const trimmed = await driver.trim(stream, partition, { before: this.#earliest([old, before]) })
    const [description] = await driver.describe(stream, [partition])
    const framesMax = planTrim({
      frames: description?.frames ?? 0,
      recordsPerFrame: recordsPerFrame(state),
      windowRecords: settings.windowRecords / settings.partitions,
      ...memory,
      memoryShare: settings.trimMemoryShare,
    })
    if (framesMax === 0) return trimmed
    const newest = isAboveShare(memory, settings.trimMemoryShare) ? await this.#newestIfRead(state, groups) : undefined
    const request = newest === undefined ? { before, framesMax } : { before: newest, newest, framesMax }
    return trimmed + (await driver.trim(stream, partition, request))
  }

  /**
   * A position before every frame that any group may still have to read. That is less than its flushed position: after a failover the new server may
   * have given frames that nobody has read yet positions before it. Such frames were appended after everything that the watermark covers, so the
   * bound moves with the watermark, which also moves while no frame comes.
   */
  async #safeBound(groups: readonly FlushedPosition[]): Promise<Position> {
    const { driver, stream } = this.#context.config
    const bounds = groups.map(async ({ partition, position, watermarkMs }) => {
      const byPosition = driver.safeStart(position)
      if (watermarkMs === undefined || byPosition === position) return byPosition
      const byTime = driver.safeStart(await driver.positionAt(stream, partition, watermarkMs))
      return this.#latest([byPosition, this.#earliest([position, byTime])])
    })
    return this.#earliest(await Promise.all(bounds))
  }

  /**
   * The position of the newest frame, if every group has flushed exactly up to it; then no frame before it is unread. Without this, a stream that
   * was filled within seconds would refuse records until the time of `safeStart` has passed. The header is compared too, because a new server may
   * by chance have given the same position to another frame.
   */
  async #newestIfRead(state: PartitionState, groups: readonly FlushedPosition[]): Promise<Position | undefined> {
    const { driver, stream } = this.#context.config
    const [newest] = await driver.tail(stream, state.partition, 1)
    if (newest === undefined) return undefined
    const isFlushed = groups.every(({ position }) => driver.comparePositions(position, newest.position) === 0)
    return isFlushed && !isNewFrame(newest.bytes, state) ? newest.position : undefined
  }

  #earliest(positions: readonly Position[]): Position {
    const { driver } = this.#context.config
    return positions.reduce((a, b) => (driver.comparePositions(a, b) <= 0 ? a : b))
  }

  #latest(positions: readonly Position[]): Position {
    const { driver } = this.#context.config
    return positions.reduce((a, b) => (driver.comparePositions(a, b) >= 0 ? a : b))
  }
}

/** The average since the group began. An average that is too low keeps more frames than needed, which is harmless. */
export function recordsPerFrame({ committedOrdinal, committedFrames }: PartitionState): number {
  return committedFrames === 0 ? 1 : Math.max(1, committedOrdinal / committedFrames)
}

/** Whether the group has not seen the frame. An entry that is no frame is skipped by the group, so it is not new. */
function isNewFrame(bytes: Buffer, state: PartitionState): boolean {
  try {
    return state.isNew(decodeFrameHeader(bytes))
  } catch {
    return false
  }
}
