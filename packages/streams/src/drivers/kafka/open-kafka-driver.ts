import type { Logger } from '@millrace/logger'
import type { StreamDriver } from '../../driver/stream-driver.js'
import { requireUsableKafka } from './check-kafka.js'
import { type KafkaConnectionSettings, toKafkaConnection } from './connection.js'
import { createKafkaDriver } from './driver.js'
import { createKafkajsClient } from './kafkajs/client.js'

/** As a service's configuration names them. */
export interface KafkaDriverSettings extends KafkaConnectionSettings {
  /** Replicas of a topic that is created. Default -1: the default of the brokers. */
  readonly KAFKA_REPLICATION_FACTOR?: number | undefined
  /** Replicas that must have a frame before it is acknowledged. Default: 2 for topics with 3 replicas or more, otherwise 1. */
  readonly KAFKA_MIN_INSYNC_REPLICAS?: number | undefined
}

/**
 * Checks the brokers and opens the driver on a connection of its own.
 * @throws STREAM_CONFIG when a server answers that cannot be used: a wrong password, an unknown certificate
 */
export async function openKafkaDriver(settings: KafkaDriverSettings, logger: Logger): Promise<StreamDriver> {
  const connection = toKafkaConnection(settings, (error) =>
    logger.warn('the TLS files for Kafka were replaced by files that cannot be used; the earlier ones stay in use', {
      error,
    }),
  )
  await requireUsableKafka(settings, logger)
  const { KAFKA_REPLICATION_FACTOR: replicationFactor = -1, KAFKA_MIN_INSYNC_REPLICAS: minInsyncReplicas } = settings
  return createKafkaDriver(
    { replicationFactor, minInsyncReplicas },
    { client: createKafkajsClient(connection), logger },
  )
}
