import { setTimeout as delay } from 'node:timers/promises'
import { DAY_MS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { TopicMessage, TopicWriter } from '@millrace/streams'
import { toEventMessage } from './event-message.js'
import type { MirrorMetrics } from './mirror-metrics.js'
import type { MirrorPositions, PositionMove } from './mirror-positions.js'
import { MirroredPartition } from './mirrored-partition.js'
import type { MirroredEvent, ReadStoredEvents } from './read-stored-events.js'
import type { TenantNames } from './tenant-names.js'

/** At about 500 bytes an event, one round is a request of a megabyte and keeps the event loop busy for some 10 ms at a time. */
const ROUND_EVENTS = 2_000
const ROUND_BYTES = 4 * 1024 * 1024
/** A message is its properties and context, and names and ids of at most 255 bytes each, which JSON may write out six times as long. */
const ENVELOPE_BYTES = 12 * 1024
/** A round that is not full begins this long after the one before, so that frequent small commits share rounds. */
const LINGER_MS = 50
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5_000
/** From this share of an event loop that is busy on, a full round is followed by a rest as long as the round, which leaves half of the time to storing. */
const BUSY_SHARE = 0.9
/** Events whose lag is more than this share of the retention may be deleted before they are mirrored; an error says so. */
const RETENTION_SHARE_MAX = 0.8

export interface MirrorConfig {
  readonly topic: string
  /** Where a partition begins that was never mirrored: at the events stored from now on, or at the oldest stored event. */
  readonly startsAt: 'now' | 'beginning'
  /** How long events are kept, ms. */
  readonly retentionMs: number
}

export interface MirrorDeps {
  readonly writer: TopicWriter
  readonly positions: MirrorPositions
  readonly tenants: TenantNames
  readonly readStoredEvents: ReadStoredEvents
  /** Makes reading by position possible; called before the first read, again after it failed. */
  readonly prepareReading: (signal: AbortSignal) => Promise<void>
  readonly metrics: MirrorMetrics
  readonly logger: Logger
  /** ms since 1970. */
  readonly now: () => number
}

/** A part of a round: events of one partition. */
interface Piece {
  readonly partition: MirroredPartition
  readonly from: number
  readonly to: number
  readonly events: readonly MirroredEvent[]
}

/**
 * Writes stored events to a Kafka topic: those of the partitions that this consumer owns. Each event is written at least once. The events of one user
 * are written in the order in which they were stored. The mirror reads the events from PostgreSQL. So while the topic cannot be written to, even for
 * days, no events wait in memory, frames in the stream can be trimmed, and other events are stored without delay. The position of a partition moves
 * only after the broker has stored all events before it. The next owner of the partition continues at this position.
 */
export class Mirror {
  readonly #config: MirrorConfig
  readonly #deps: MirrorDeps
  readonly #partitions = new Map<number, MirroredPartition>()
  readonly #stopping = new AbortController()
  #wake: () => void = () => undefined
  #running: Promise<void> | undefined
  #isReadable = false
  #isDraining = false
  #problem: string | undefined
  #isNearRetention = false
  #noting: Promise<void> | undefined
  /** The partition that the next round begins with, so that none waits for a busier one. */
  #turn = 0

  constructor(config: MirrorConfig, deps: MirrorDeps) {
    this.#config = config
    this.#deps = deps
  }

  start(): void {
    this.#running = this.#run()
  }

  /**
   * This consumer has taken partitions over; the next record of each will have this ordinal. Resolves when their positions are in PostgreSQL, so that a
   * mirror that starts now leaves out nothing that is stored from now on, even if this process dies at once.
   */
  async own(partitions: readonly { partition: number; nextOrdinal: number }[]): Promise<void> {
    const { startsAt } = this.#config
    const loaded = await this.#deps.positions.load(
      partitions.map(({ partition, nextOrdinal }) => ({ partition, start: startsAt === 'now' ? nextOrdinal : 0 })),
    )
    for (const { partition, nextOrdinal, mirroredUntilMs } of loaded) {
      const end = partitions.find((one) => one.partition === partition)?.nextOrdinal ?? 0
      this.#partitions.set(partition, new MirroredPartition({ partition, next: nextOrdinal, end }, mirroredUntilMs))
    }
    this.#wake()
  }

  /** Another consumer owns the partition now, or soon. */
  disown(partition: number): void {
    this.#partitions.delete(partition)
  }

  /** Records before `end` are committed; their events are on these days. */
  committed(partition: number, end: number, days: { firstMs: number; lastMs: number } | null): void {
    this.#partitions.get(partition)?.committed(end, days, this.#deps.now())
    this.#wake()
  }

  /** Records of this consumer's partitions that are not in the topic yet. */
  get lagRecords(): number {
    let sum = 0
    for (const partition of this.#partitions.values()) sum += partition.lagRecords
    return sum
  }

  /** For how long the oldest event has waited that is not in the topic yet, ms. */
  get lagMs(): number {
    const nowMs = this.#deps.now()
    return Math.max(0, ...[...this.#partitions.values()].map((partition) => partition.lagMs(nowMs)))
  }

  /** Why nothing can be mirrored at the moment. */
  get problem(): string | undefined {
    return this.#problem
  }

  /**
   * Mirrors what is committed, for at most `budgetMs` and not at all while that fails, and ends. What is left is mirrored by the next owner of the
   * partitions.
   */
  async stop(budgetMs = 5_000): Promise<void> {
    this.#isDraining = true
    const timer = setTimeout(() => this.#abort(), this.#problem === undefined ? Math.min(budgetMs, 5_000) : 0)
    this.#wake()
    await this.#running
    clearTimeout(timer)
    await this.#deps.writer.close()
  }

  #abort(): void {
    this.#stopping.abort()
    this.#wake()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let retryMs = RETRY_MS_MIN
    while (!signal.aborted) {
      try {
        if (await this.#step(signal)) continue
        retryMs = RETRY_MS_MIN
        if (this.#isDraining) return
        await this.#waitForWork(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#failed(error instanceof Error ? error.message : String(error))
        if (this.#isDraining) return
        await delay(retryMs, undefined, { signal }).catch(() => undefined)
        retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)
      }
    }
  }

  /** One round. Returns whether there is more to do at once. */
  async #step(signal: AbortSignal): Promise<boolean> {
    await this.#reload()
    const behind = [...this.#partitions.values()].filter(({ isBehind }) => isBehind)
    if (behind.length === 0) return false
    const startedAt = performance.now()
    const usedBefore = performance.eventLoopUtilization()
    await this.#prepare(signal)
    const { pieces, isFull } = await this.#read(behind)
    await this.#write(pieces, signal)
    await this.#move(pieces)
    this.#recovered()
    if (!isFull) return false
    const { utilization } = performance.eventLoopUtilization(usedBefore)
    if (utilization > BUSY_SHARE) await delay(performance.now() - startedAt, undefined, { signal })
    return true
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    const { writer, prepareReading } = this.#deps
    if (writer.messageBytesMax === undefined) await writer.prepare()
    if (this.#isReadable) return
    await prepareReading(signal)
    this.#isReadable = true
  }

  /** Reads the positions again that another process has moved. */
  async #reload(): Promise<void> {
    const unknown = [...this.#partitions.values()].filter(({ next }) => next === undefined)
    if (unknown.length === 0) return
    const loaded = await this.#deps.positions.load(unknown.map(({ partition }) => ({ partition, start: 0 })))
    for (const { partition, nextOrdinal, mirroredUntilMs } of loaded)
      unknown.find((one) => one.partition === partition)?.loaded(nextOrdinal, mirroredUntilMs)
  }

  /** Reads events of one partition after the other, beginning with another one each time. */
  async #read(behind: readonly MirroredPartition[]): Promise<{ pieces: Piece[]; isFull: boolean }> {
    const { readStoredEvents, writer } = this.#deps
    const eventBytesMax = Math.max(0, (writer.messageBytesMax ?? 0) - ENVELOPE_BYTES)
    const first = this.#turn++ % behind.length
    const pieces: Piece[] = []
    let events = 0
    let bytes = 0
    for (const partition of [...behind.slice(first), ...behind.slice(0, first)]) {
      if (events >= ROUND_EVENTS || bytes >= ROUND_BYTES) return { pieces, isFull: true }
      const range = partition.range()
      const limits = { rowsMax: ROUND_EVENTS - events, bytesMax: ROUND_BYTES - bytes, eventBytesMax }
      const read = await readStoredEvents(range, limits)
      pieces.push({ partition, from: range.from, to: read.next, events: read.events })
      events += read.events.length
      for (const { properties, context } of read.events) bytes += (properties?.length ?? 0) + (context?.length ?? 0)
    }
    return { pieces, isFull: pieces.some(({ partition, to }) => to < partition.end) }
  }

  async #write(pieces: readonly Piece[], signal: AbortSignal): Promise<void> {
    const { tenants, writer, metrics } = this.#deps
    await tenants.load(pieces.flatMap(({ events }) => events.map(({ tenant_id }) => tenant_id)))
    const messages: TopicMessage[] = []
    let omitted = 0
    for (const { events } of pieces) {
      for (const event of events) {
        messages.push(toEventMessage(event, tenants.of(event.tenant_id)))
        if (event.is_omitted) omitted++
      }
    }
    await writer.write(messages, { signal, onFailure: (reason) => this.#failed(reason) })
    metrics.addMirrored(messages.length, omitted)
    if (omitted > 0)
      this.#deps.logger.warn(
        'events were mirrored without properties and context, because they are larger than max.message.bytes of the topic',
        {
          topic: this.#config.topic,
          events: omitted,
          message_bytes_max: writer.messageBytesMax,
        },
      )
  }

  async #move(pieces: readonly Piece[]): Promise<void> {
    const moves = pieces.map(({ partition: { partition }, from, to, events }): PositionMove => {
      return { partition, from, to, receivedAtMs: events.at(-1)?.received_at.getTime() ?? null }
    })
    const moved = await this.#deps.positions.move(moves)
    for (const [index, { partition }] of pieces.entries()) {
      const { to, receivedAtMs } = moves[index] as PositionMove
      if (moved.has(partition.partition)) partition.moved(to, receivedAtMs)
      else partition.forget()
    }
  }

  #failed(reason: string): void {
    const { metrics, logger, positions, now } = this.#deps
    metrics.addFailure()
    if (this.#problem === undefined)
      logger.warn('stored events cannot be mirrored to Kafka; they wait in PostgreSQL and are tried again', {
        topic: this.#config.topic,
        reason,
      })
    // Again with each attempt: another consumer may have cleared the reason, and partitions may have been assigned since the last attempt.
    // Only for the health report; PostgreSQL may be what fails.
    this.#noting ??= positions
      .block([...this.#partitions.keys()], reason)
      .catch(() => undefined)
      .finally(() => (this.#noting = undefined))
    this.#problem = reason
    const lagMs = this.lagMs
    const isNear = lagMs > this.#config.retentionMs * RETENTION_SHARE_MAX
    if (isNear && !this.#isNearRetention)
      logger.error('retention will soon delete events that are not mirrored to Kafka yet', {
        topic: this.#config.topic,
        waiting_since: new Date(now() - lagMs).toISOString(),
        retention_days: this.#config.retentionMs / DAY_MS,
      })
    this.#isNearRetention = isNear
  }

  #recovered(): void {
    if (this.#problem === undefined) return
    this.#problem = undefined
    this.#isNearRetention = false
    void Promise.resolve(this.#noting)
      .then(() => this.#deps.positions.unblock())
      .catch(() => undefined)
    this.#deps.logger.info('stored events are mirrored to Kafka again', { topic: this.#config.topic })
  }

  async #waitForWork(signal: AbortSignal): Promise<void> {
    await delay(LINGER_MS, undefined, { signal })
    const hasWork = [...this.#partitions.values()].some(({ isBehind, next }) => isBehind || next === undefined)
    if (hasWork || this.#isDraining) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = () => undefined
  }
}
