import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { findExpiringPartitions } from './find-expiring-partitions.js'
import type { FlushedPosition } from './group-table.js'

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
    const { retentionMs, partitions: expiring } = await findExpiringPartitions(config.driver, config.stream, flushed)
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
}
