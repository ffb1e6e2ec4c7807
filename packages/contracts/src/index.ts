export { coreErrors } from './errors/core-errors.js'
export { defineErrors, type ErrorFactory, type ErrorOccurrence, type ErrorRow } from './errors/define-errors.js'
export { type ErrorKind, KIND_TRAITS, type KindTraits, kindOfGrpcStatus } from './errors/error-kind.js'
export { type ErrorDetails, isMillraceError, MillraceError, type MillraceErrorInit } from './errors/millrace-error.js'
export { PROBLEM_CONTENT_TYPE, type Problem, toProblem } from './errors/to-problem.js'
export { toMillraceError, wrapError } from './errors/wrap-error.js'
export { type StoredEvent, toEventJson } from './events/event-json.js'
export { type Hash64, hashBytes, hashText, hashToBigint, partitionOf } from './events/hash.js'
export { LATE_NOTICES_KEPT_MS, type LateDay, lateNameOf, NORMAL_DELAY_MS } from './events/late-events.js'
export {
  BATCH_HEADER_BYTES,
  EVENT_COPY_COLUMNS,
  EVENT_TYPES,
  type EventType,
  FLAG,
  POSTGRES_EPOCH_MS,
  ROW_FIXED_BYTES,
  SIDE,
  SIDE_BYTES,
} from './events/record-batch.js'
export { RecordBatchBuilder } from './events/record-batch-builder.js'
export {
  decodeEventRow,
  type EventRow,
  RecordBatchReader,
} from './events/record-batch-reader.js'
export { type ByteRange, type EventRecord, RecordSlices, SLICE } from './events/record-slices.js'
export { descriptorSet } from './gen/descriptor-set.js'
export {
  AnalyticsServiceClient,
  type AnalyticsServiceServer,
  AnalyticsServiceService,
  type CachePolicy,
  type Filter,
  type ListActivitiesRequest,
  type ListActivitiesResponse,
  type ListEventsRequest,
  type ListEventsResponse,
  type ListSessionsRequest,
  type ListSessionsResponse,
  type Metric,
  type QueryMeta,
  RunQueryRequest,
  type RunQueryResponse,
  type Step,
} from './gen/millrace/v1/analytics.js'
export {
  ConsumerServiceClient,
  type ConsumerServiceServer,
  ConsumerServiceService,
  type DeadLetter,
  type DiscardDeadLetterRequest,
  type DiscardDeadLetterResponse,
  type GetReceiptRequest,
  type GetReceiptResponse,
  type ListDeadLettersRequest,
  type ListDeadLettersResponse,
  type ReplayDeadLetterRequest,
  type ReplayDeadLetterResponse,
  type WatchLiveRequest,
  type WatchLiveResponse,
} from './gen/millrace/v1/consumer.js'
export {
  HealthServiceClient,
  type HealthServiceServer,
  HealthServiceService,
  type LedgerEntry,
} from './gen/millrace/v1/health.js'
export {
  type CountLogsRequest,
  type FindLogPatternsRequest,
  type GetLogContextRequest,
  type GetLogContextResponse,
  type GetTransformsRequest,
  type GetTransformsResponse,
  type LogAnswer,
  type LogConditions,
  LogServiceClient,
  type LogServiceServer,
  LogServiceService,
  type PutTransformsRequest,
  type PutTransformsResponse,
  SearchLogsRequest,
  type SearchLogsResponse,
  type TopLogValuesRequest,
  type TryTransformsRequest,
  type TryTransformsResponse,
  type WatchLogsRequest,
  type WatchLogsResponse,
} from './gen/millrace/v1/logs.js'
export { decodeReceipt, encodeReceipt, type Receipt, type ReceiptFrameRange } from './http/receipt.js'
export { ADVISORY_LOCKS } from './names/advisory-locks.js'
export { CHANNELS, cacheChannel } from './names/channels.js'
export { LOG_WIRE_PATHS } from './names/log-wire-paths.js'
export { METADATA_KEYS } from './names/metadata-keys.js'
export {
  CACHE_ENTRY_PATTERN,
  cacheKeyPrefix,
  lateCursorKey,
  liveTicketKey,
  popularQueriesKey,
  rateLimitKey,
  rejectionsKey,
  streamKey,
} from './names/redis-keys.js'
export { EVENTS_STORE_GROUP, EVENTS_STREAM, LOGS_STORE_GROUP, LOGS_STREAM, streamTopic } from './names/streams.js'
export { CURSOR_LENGTH_MAX } from './queries/cursor-length.js'
export type { PointOf, QueryKindName, QueryPoint, SummaryOf } from './queries/query-kinds.js'
export { type PageLimit, QUERY_LIMITS } from './queries/query-limits.js'
export { findUnstorable } from './queries/storable-text.js'
export { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './time/durations.js'
