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
export type { LiveCounts } from './live.js'
export type { Page, Pages } from './pages.js'
export type { QueryAnswer, QueryAnswerMeta, QueryPoint } from './queries/query-answer.js'
export type {
  BreakdownQuery,
  DailyPoint,
  DailyQuery,
  FunnelPoint,
  FunnelQuery,
  FunnelStep,
  FunnelSummary,
  GroupPoint,
  LoginCounts,
  LoginShare,
  LoginsPoint,
  LoginsQuery,
  LoginsSummary,
  PercentilesPoint,
  PercentilesQuery,
  QueryFilter,
  QueryInterval,
  QueryKindName,
  QueryKinds,
  QueryMetric,
  RecentLogin,
  RetentionPoint,
  RetentionQuery,
  SessionsPoint,
  SessionsQuery,
  SessionsSummary,
  TimeseriesPoint,
  TimeseriesQuery,
  TopQuery,
  UniquesPoint,
  UniquesQuery,
} from './queries/query-kinds.js'
export type { Asked } from './run-query.js'
export type { CallOptions } from './transport.js'
export type {
  ActivitiesFilter,
  ActivitiesPage,
  Activity,
  Session,
  SessionsFilter,
  SessionsPage,
} from './typed-lists.js'
