import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { StreamDriver } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import type { KafkaDriverSettings } from './kafka/open-kafka-driver.js'
import { createRedisDriver } from './redis/driver.js'

/** As a service's configuration names them. */
export interface StreamDriverSettings extends KafkaDriverSettings {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  /** Redis replicas that must confirm a frame before it is acknowledged. Default 0. */
  readonly STREAM_MIN_REPLICAS?: number
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
    case 'kafka': {
      if (settings.KAFKA_BROKERS === undefined || settings.KAFKA_BROKERS.length === 0)
        throw missing('KAFKA_BROKERS', 'kafka')
      // Loaded only when it is used: kafkajs takes several MB of memory in every process that loads it.
      const { openKafkaDriver } = await import('./kafka/open-kafka-driver.js')
      return await openKafkaDriver(settings, logger)
    }
  }
}

function missing(setting: string, driver: string): Error {
  return streamErrors.STREAM_CONFIG({
    message: `STREAM_DRIVER is "${driver}", which needs ${setting}, but it is not set`,
    details: { setting },
  })
}
