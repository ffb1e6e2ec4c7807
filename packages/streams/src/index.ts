export { ConsumerMetrics } from './consumer/consumer-metrics.js'
export type {
  CommittedNotice,
  Consumer,
  ConsumerConfig,
  ConsumerDeps,
  ConsumerSettings,
  ConsumerState,
} from './consumer/consumer-types.js'
export type {
  SqlClient,
  SqlConnection,
  SqlStatement,
  SqlTransaction,
  StreamDatabase,
} from './consumer/database-port.js'
export { findExpiringPartitions } from './consumer/find-expiring-partitions.js'
export { runConsumer } from './consumer/run-consumer.js'
export type {
  AssignContext,
  AssignedPartition,
  FlushedPositions,
  FrameBatch,
  NewFrame,
  ReceivedFrame,
  StreamHandler,
} from './consumer/stream-handler.js'
export { DiskWatch } from './disk/disk-watch.js'
export {
  type AppendResult,
  BEGINNING,
  type BrokerGroupListener,
  type BrokerGroupMember,
  type BrokerMembership,
  type FrameToAppend,
  type GroupMirror,
  type PartitionDescription,
  type Position,
  type ReadLimits,
  type StoredFrame,
  type StreamCluster,
  type StreamDriver,
  type StreamMemory,
  type StreamReader,
  type TrimRequest,
} from './driver/stream-driver.js'
export {
  openTopicWriter,
  type TopicMessage,
  type TopicWriter,
  type TopicWriterConfig,
  type WriteOptions,
} from './drivers/kafka/topic-writer.js'
export {
  createMemoryDriver,
  MemoryDriver,
  type MemoryDriverOptions,
  type MemoryFault,
} from './drivers/memory/driver.js'
export { openStreamDriver, type StreamDriverDeps, type StreamDriverSettings } from './drivers/open-stream-driver.js'
export { createRedisDriver, type RedisDriverConfig } from './drivers/redis/driver.js'
export { streamErrors } from './errors.js'
export {
  decodeFrame,
  decodeFrameHeader,
  decodeFramePayload,
  decodeFrameTraces,
  encodeFrame,
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FRAME_TRACES_MAX,
  type FrameHeader,
  type FrameToEncode,
  parseProducerId,
} from './frame/frame.js'
export { addConsumedStatement } from './ledger/add-consumed.js'
export { ConsumedCounts } from './ledger/consumed-counts.js'
export { createFlushProduced } from './ledger/flush-produced.js'
export { type Produced, ProducedCounts } from './ledger/produced-counts.js'
export { openProducer, type ProducerConfig, type ProducerDeps } from './producer/open-producer.js'
export { ProducerMetrics } from './producer/producer-metrics.js'
export type {
  AppendedFrame,
  BatchBuilder,
  OpenBatch,
  Producer,
  ProducerCounts,
  ProducerDisks,
} from './producer/producer-types.js'
