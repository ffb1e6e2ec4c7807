export { type Client, type ClientOptions, createClient, type Queries } from './create-client.js'
export { MillraceError } from './errors.js'
export type {
  Acceptance,
  EventCounts,
  EventInput,
  EventOutcome,
  EventsFilter,
  Receipt,
  StoredEvent,
} from './events.js'
/** The types of every kind of query, such as FunnelQuery, FunnelPoint and FunnelAnswer; generated, so nothing else is in there. */
export type * from './gen/query-types.js'
export type { LiveCounts, LiveTicket } from './live.js'
export type {
  StoredTransformRules,
  TransformRule,
  TransformRules,
  TransformTrial,
  TriedLine,
  TriedLines,
} from './log-transforms.js'
export type {
  LiveLines,
  LiveLogsQuery,
  LogBucket,
  LogConditions,
  LogContext,
  LogCounts,
  LogHistogramQuery,
  LogLevel,
  LogLine,
  LogPattern,
  LogPatternsQuery,
  LogsFilter,
  LogsPage,
  LogValue,
  TopLogValuesQuery,
} from './logs.js'

export type { Page, Pages } from './pages.js'
export type { KeptRejection, RejectionsFilter } from './rejections.js'
export type { WithDates } from './run-query.js'
export type { CallOptions } from './transport.js'
export type {
  ActivitiesFilter,
  ActivitiesPage,
  Activity,
  Session,
  SessionsFilter,
  SessionsPage,
} from './typed-lists.js'
