import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { StreamDriver } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { createRedisDriver } from './redis/driver.js'

/** As a service's configuration names them. */
export interface StreamDriverSettings {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  /** Redis replicas that must confirm a frame before it is acknowledged. Default 0. */
  readonly STREAM_MIN_REPLICAS?: number
}

/** Connections that the drivers use. */
export interface StreamDriverDeps {
  /** The connection to the Redis that holds the stream; used by the driver `redis`. The caller closes it, after the driver. */
  readonly redis: RedisConnection
  /** For drivers that open connections of their own. */
  readonly logger: Logger
}

/**
 * Opens the driver that STREAM_DRIVER names: the only place that knows which drivers exist.
 * @throws STREAM_CONFIG when the named driver is not built yet.
 */
export async function openStreamDriver(
  settings: StreamDriverSettings,
  { redis }: StreamDriverDeps,
): Promise<StreamDriver> {
  switch (settings.STREAM_DRIVER) {
    case 'redis': {
      const { STREAM_MIN_REPLICAS: minReplicas } = settings
      return createRedisDriver(minReplicas === undefined ? {} : { minReplicas }, { redis })
    }
    case 'kafka':
      throw streamErrors.STREAM_CONFIG({
        message: 'STREAM_DRIVER is "kafka", but the Kafka driver is not built yet; set STREAM_DRIVER to "redis"',
        details: { setting: 'STREAM_DRIVER' },
      })
  }
}
