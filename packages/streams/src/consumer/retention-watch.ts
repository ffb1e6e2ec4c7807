import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { FlushedPosition } from './group-table.js'

/** The alarm is raised when frames that a group has not flushed have reached this share of the time after which the server removes them. */
const ALARM_SHARE = 0.7

/**
 * Watches a stream whose server removes frames by their age, whether or not they were read: as Kafka does where this client may not trim. It raises an
 * alarm while there is still time to repair a group that is far behind. Frames that were removed unread are lost; the gaps in the sequences of their
 * producers show it.
 */
export class RetentionWatch<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  #isAlarm = false

  constructor(context: ConsumerContext<Prepared, Tx>) {
    this.#context = context
  }

  /** @param flushed how far every group has flushed the partitions of this member */
  async check(flushed: readonly FlushedPosition[]): Promise<void> {
    const { config, logger, metrics } = this.#context
    const retentionMs = await config.driver.retentionMs?.(config.stream)
    const expiring =
      retentionMs === undefined ? [] : await this.#expiring(flushed, Date.now() - retentionMs * ALARM_SHARE)
    metrics?.expiringPartitions.set(expiring.length)
    const isAlarm = expiring.length > 0
    if (isAlarm && !this.#isAlarm)
      logger.error(
        'the server of the stream will soon remove frames by their age, although a consumer group has not stored them',
        {
          partitions: expiring,
          retentionMs,
        },
      )
    if (!isAlarm && this.#isAlarm)
      logger.info('the server of the stream is no longer about to remove frames that a consumer group has not stored')
    this.#isAlarm = isAlarm
  }

  /** Partitions with frames older than `beforeMs` that a group has not flushed. */
  async #expiring(flushed: readonly FlushedPosition[], beforeMs: number): Promise<number[]> {
    const { driver, stream } = this.#context.config
    const partitions = [...new Set(flushed.map(({ partition }) => partition))].sort((a, b) => a - b)
    const old = await Promise.all(
      partitions.map(async (partition) => [partition, await driver.positionAt(stream, partition, beforeMs)] as const),
    )
    return old
      .filter(([partition, position]) =>
        flushed.some((group) => group.partition === partition && driver.comparePositions(group.position, position) < 0),
      )
      .map(([partition]) => partition)
  }
}
