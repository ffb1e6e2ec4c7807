import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { StreamDriver } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { requireUsableKafka } from './kafka/check-kafka.js'
import { type KafkaConnectionSettings, toKafkaConnection } from './kafka/connection.js'
import { createKafkaDriver } from './kafka/driver.js'
import { createKafkajsClient } from './kafka/kafkajs/client.js'
import { createRedisDriver } from './redis/driver.js'

/** As a service's configuration names them. */
export interface StreamDriverSettings extends KafkaConnectionSettings {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  /** Redis replicas that must confirm a frame before it is acknowledged. Default 0. */
  readonly STREAM_MIN_REPLICAS?: number
  /** Replicas of a topic that is created. Default -1: the default of the brokers. */
  readonly KAFKA_REPLICATION_FACTOR?: number | undefined
  /** Replicas that must have a frame before it is acknowledged. Default: 2 for topics with 3 replicas or more, otherwise 1. */
  readonly KAFKA_MIN_INSYNC_REPLICAS?: number | undefined
}

/** Connections that the drivers use. */
export interface StreamDriverDeps {
  /** The connection to the Redis that holds the stream; required by the driver `redis`. The caller closes it, after the driver. */
  readonly redis: RedisConnection | undefined
  /** For drivers that open connections of their own. */
  readonly logger: Logger
}

/**
 * Opens the driver that STREAM_DRIVER names: the only place that knows which drivers exist.
 * @throws STREAM_CONFIG when what the driver needs is missing, or when a server answers that cannot be used: a wrong password, an unknown certificate
 */
export async function openStreamDriver(
  settings: StreamDriverSettings,
  { redis, logger }: StreamDriverDeps,
): Promise<StreamDriver> {
  switch (settings.STREAM_DRIVER) {
    case 'redis': {
      const { STREAM_MIN_REPLICAS: minReplicas } = settings
      if (redis === undefined) throw missing('STREAM_REDIS_URL', 'redis')
      return createRedisDriver(minReplicas === undefined ? {} : { minReplicas }, { redis })
    }
    case 'kafka':
      return await openKafkaDriver(settings, logger)
  }
}

async function openKafkaDriver(settings: StreamDriverSettings, logger: Logger): Promise<StreamDriver> {
  const connection = toKafkaConnection(settings, (error) =>
    logger.warn('the TLS files for Kafka were replaced by files that cannot be used; the earlier ones stay in use', {
      error,
    }),
  )
  if (connection.brokers.length === 0) throw missing('KAFKA_BROKERS', 'kafka')
  await requireUsableKafka(settings, logger)
  const { KAFKA_REPLICATION_FACTOR: replicationFactor = -1, KAFKA_MIN_INSYNC_REPLICAS: minInsyncReplicas } = settings
  return createKafkaDriver(
    { replicationFactor, minInsyncReplicas },
    { client: createKafkajsClient(connection), logger },
  )
}

function missing(setting: string, driver: string): Error {
  return streamErrors.STREAM_CONFIG({
    message: `STREAM_DRIVER is "${driver}", which needs ${setting}, but it is not set`,
    details: { setting },
  })
}
