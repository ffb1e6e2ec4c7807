import type { KafkaCluster, StackOptions } from '@millrace/local-stack'
import type { ChaosLoadShape } from './chaos-load.js'

/** Memory limit of Redis that some seconds of load reach. */
const STREAM_FULL_AT = '8mb'

/**
 * The load of the tests. As many requests as in `npm run chaos` meet a fault, with a quarter of the events in each: storing the others takes most of
 * the time of a run and shows nothing new.
 */
export const SHORT_LOAD: ChaosLoadShape = { batchEvents: 10 }

export interface ChaosStackSettings {
  /** Size limit of the gateway's spool in bytes. Default: the service's default. */
  spoolBytesMax?: number | undefined
  /** Duration of a lease in milliseconds. Default 3,000, since a round would take half a minute with the service's default. */
  leaseMs?: number | undefined
}

/** A stack whose stream, if it is Redis, and spool are full after seconds of load. */
export function recoveryStackOptions(): Partial<StackOptions> {
  return {
    ...chaosStackOptions({ spoolBytesMax: 4 * 1024 ** 2 }),
    streamRedisSettings: { maxmemory: STREAM_FULL_AT },
  }
}

/** The settings of a chaos run: two consumers, short leases, days that are split during the load, and restarts without limit. */
export function chaosStackOptions({ spoolBytesMax, leaseMs = 3_000 }: ChaosStackSettings): Partial<StackOptions> {
  return {
    instances: { 'stream-consumer': 2 },
    deathsMax: 1_000,
    env: {
      LEASE_MS: String(leaseMs),
      EVENTS_SEGMENT_MB: '1',
      ...(spoolBytesMax !== undefined && { SPOOL_BYTES_MAX: String(spoolBytesMax) }),
    },
  }
}

/** A stack that uses the brokers of a cluster, with each frame on all three of them and an acknowledgement when two have it. */
export function clusterStackOptions({ brokers }: KafkaCluster): Partial<StackOptions> {
  const options = chaosStackOptions({ spoolBytesMax: 1024 ** 3 })
  const env = { ...options.env, STREAM_DRIVER: 'kafka', KAFKA_BROKERS: brokers, KAFKA_REPLICATION_FACTOR: '3' }
  return { ...options, env }
}
