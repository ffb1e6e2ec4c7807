import { randomUUID } from 'node:crypto'
import type { Logger } from '@millrace/logger'
import { type CircuitBreakerConfig, createObservedBreaker } from '@millrace/resilience'
import { openSpool, type SpoolConfig } from '@millrace/spool'
import type { ResilienceMetrics, Tracer } from '@millrace/telemetry'
import type { LingerGrowth, StreamDriver } from '../driver/stream-driver.js'
import { BatchingProducer } from './batching-producer.js'
import { frameCodec } from './frame-codec.js'
import type { ProducerMetrics } from './producer-metrics.js'
import type { BatchBuilder, Producer, ProducerDisks } from './producer-types.js'

/** 1 ms for each 4,000 records/s: a frame in each of 16 partitions then holds some 6 records at 20,000/s and 60 at 100,000/s. */
const LINGER_GROWTH: LingerGrowth = { recordsPerSecond: 4000, msMax: 10 }

/** Stream, limits, linger and spool of a producer. */
export interface ProducerConfig<Builder extends BatchBuilder> {
  readonly stream: string
  /** Default 16. Never changed while the stream has frames: the partition of a user depends on it. */
  readonly partitions?: number
  readonly createBuilder: () => Builder
  /** How long an open batch waits for more records at low load, in ms; 0 seals it in the next turn of the event loop. Default 1. */
  readonly lingerMs?: number
  /** The longest wait, in ms: it grows with the load as the driver says. Default: the driver's, 10 on Redis and 20 on Kafka. */
  readonly lingerMsMax?: number | undefined
  /** A batch of about this size (before compression) is sealed at once. Default 1 MiB. */
  readonly frameBytesMax?: number
  /** Records are refused while more sealed bytes than this wait for the stream or the disk. Default 64 MiB. */
  readonly unacknowledgedBytesMax?: number
  /** Where frames are kept while the stream cannot be reached. Without a spool, records are refused then. */
  readonly spool?: SpoolConfig
  /** Records are refused above this share of the stream's memory ceiling. Default 0.9. */
  readonly memoryShareMax?: number
  /** Tries of one frame before it goes to the spool. Default 3, 100 ms and 200 ms apart. */
  readonly sendAttempts?: number
  /** A frame that was first sent this long ago goes to the spool at the next failure, in ms. Default 1,000. */
  readonly sendTimeoutMs?: number
  /** Flags of every frame, see FRAME_FLAG. Default 0. */
  readonly flags?: number
  /** Default: opens at 50 % failures over 10 round trips, for 30 s, then 5 trials. */
  readonly circuitBreaker?: Omit<Partial<CircuitBreakerConfig>, 'name'>
  /** How long `close` tries the stream before it uses the spool, in ms. Default 5,000. */
  readonly closeTimeoutMs?: number
}

/** What a producer works with. */
export interface ProducerDeps {
  readonly driver: StreamDriver
  readonly logger: Logger
  readonly metrics?: ProducerMetrics
  /** For the circuit breaker before the stream. */
  readonly resilienceMetrics?: ResilienceMetrics
  /** Records a span for appends of frames with traceparents, see `OpenBatch.addTrace`. Default: none. */
  readonly tracer?: Tracer
  /** Watches the disks of the stream and of the spool. Default: neither counts as full until a write fails. */
  readonly disks?: ProducerDisks
  /** Default: a random UUID. */
  readonly producerId?: string
}

/**
 * Opens a producer and its spool. Frames that an earlier process left in the spool are sent before newer frames of their partitions. The caller
 * closes the driver, after the producer.
 * @throws SPOOL_LOCKED, and the errors of the file system.
 */
export async function openProducer<Builder extends BatchBuilder>(
  config: ProducerConfig<Builder>,
  deps: ProducerDeps,
): Promise<Producer<Builder>> {
  const logger = deps.logger.child({ stream: config.stream })
  const { partitions = 16, lingerMs = 1 } = config
  const growth = deps.driver.lingerGrowth ?? LINGER_GROWTH
  const spool = config.spool ? await openSpool(config.spool, { codec: frameCodec, logger }) : undefined
  const breaker = createObservedBreaker(
    { ...config.circuitBreaker, name: `stream ${config.stream}` },
    { logger, metrics: deps.resilienceMetrics },
  )
  return new BatchingProducer(
    {
      stream: config.stream,
      partitions,
      createBuilder: config.createBuilder,
      lingerMs,
      lingerGrowth: { ...growth, msMax: config.lingerMsMax ?? Math.max(lingerMs, growth.msMax) },
      frameBytesMax: config.frameBytesMax ?? 1024 ** 2,
      unacknowledgedBytesMax: config.unacknowledgedBytesMax ?? 64 * 1024 ** 2,
      memoryShareMax: config.memoryShareMax ?? 0.9,
      sendAttempts: config.sendAttempts ?? 3,
      sendTimeoutMs: config.sendTimeoutMs ?? 1000,
      flags: config.flags ?? 0,
      closeTimeoutMs: config.closeTimeoutMs ?? 5000,
    },
    {
      driver: deps.driver,
      spool,
      breaker,
      logger,
      metrics: deps.metrics?.of(config.stream),
      tracer: deps.tracer?.isOn === true ? deps.tracer : undefined,
      disks: deps.disks,
      id: deps.producerId ?? randomUUID(),
    },
  )
}
