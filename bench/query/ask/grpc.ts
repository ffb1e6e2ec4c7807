import { ChannelCredentials, Metadata } from '@grpc/grpc-js'
import {
  AnalyticsServiceClient,
  type ListEventsRequest,
  type ListEventsResponse,
  METADATA_KEYS,
  type QueryMeta,
  type RunQueryRequest,
  type RunQueryResponse,
} from '@millrace/contracts'
import type { Query } from './query.js'

/** The tenant that a first start seeds. */
const TENANT = '1'
const DEADLINE_MS = 60_000

export type QueryAnswer = RunQueryResponse & { meta: QueryMeta }

export interface Analytics {
  /** Runs a query. Resolves with the answer as it arrives, `dataJson` unparsed. */
  query(query: Query): Promise<QueryAnswer>
  /** A page of a user's events. */
  timeline(userId: string): Promise<ListEventsResponse>
  close(): void
}

/** Calls one analytics-query as the gateway does, but without retries, which would hide failures. */
export function openAnalytics(address: string): Analytics {
  const client = new AnalyticsServiceClient(address, ChannelCredentials.createInsecure(), {
    'grpc.max_receive_message_length': 64 * 1_048_576,
  })
  const metadata = new Metadata()
  metadata.set(METADATA_KEYS.tenant, TENANT)
  metadata.set(METADATA_KEYS.caller, 'bench')
  const options = () => ({ deadline: Date.now() + DEADLINE_MS })
  return {
    query: (query) =>
      new Promise((resolve, reject) => {
        client.runQuery(toRequest(query), metadata, options(), (error, answer) => {
          if (error) reject(error)
          else if (answer.meta === undefined) reject(new Error('the answer has no meta'))
          else resolve({ ...answer, meta: answer.meta })
        })
      }),
    timeline: (userId) =>
      new Promise((resolve, reject) => {
        client.listEvents(toPage(userId), metadata, options(), (error, page) => (error ? reject(error) : resolve(page)))
      }),
    close: () => client.close(),
  }
}

function toPage(userId: string): ListEventsRequest {
  return {
    event: '',
    userId,
    from: undefined,
    to: undefined,
    limit: 50,
    cursor: '',
    messageId: '',
    filters: [],
  }
}

function toRequest(query: Query): RunQueryRequest {
  return {
    kind: query.kind,
    event: query.event ?? '',
    metric: query.metric && { agg: query.metric.agg, property: query.metric.property ?? '' },
    from: query.from === undefined ? undefined : new Date(query.from),
    to: query.to === undefined ? undefined : new Date(query.to),
    interval: query.interval ?? '',
    timezone: '',
    filters: (query.filters ?? []).map(({ property, op, value }) => ({
      property,
      op,
      valueJson: JSON.stringify(value),
    })),
    groupBy: query.group_by ?? [],
    limit: query.limit ?? 0,
    cursor: '',
    explain: false,
    steps: (query.steps ?? []).map((event) => ({ event, filters: [] })),
    windowMs: BigInt(query.window ?? 0),
    returnEvent: query.return_event ?? '',
    periods: 0,
    compare: query.compare ?? '',
    fill: '',
    minWatermark: undefined,
    fresh: query.fresh ?? false,
  }
}
