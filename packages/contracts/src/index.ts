export {
  AnalyticsServiceClient,
  AnalyticsServiceService,
  type AnalyticsServiceServer,
  type DataPoint,
  type Filter,
  type ListEventsRequest,
  type ListEventsResponse,
  type Metric,
  type QueryMeta,
  type RunQueryRequest,
  type RunQueryResponse,
} from './gen/millrace/v1/analytics.js'
export {
  ConsumerServiceClient,
  ConsumerServiceService,
  type ConsumerServiceServer,
  type DeadLetter,
  type GetReceiptResponse,
  type WatchLiveResponse,
} from './gen/millrace/v1/consumer.js'
export {
  HealthServiceClient,
  HealthServiceService,
  type HealthServiceServer,
  type LedgerEntry,
} from './gen/millrace/v1/health.js'
