import { ChannelCredentials, Metadata } from '@grpc/grpc-js'
import { AnalyticsServiceClient, METADATA_KEYS } from '@millrace/contracts'

/** The tenant that a first start seeds. */
const TENANT = '1'
const DEADLINE_MS = 60_000

/** Calls one analytics-query, as the gateway does but without its retries, so that nothing is hidden. */
export function openAnalytics(address) {
  const client = new AnalyticsServiceClient(address, ChannelCredentials.createInsecure(), {
    'grpc.max_receive_message_length': 64 * 1_048_576,
  })
  const metadata = new Metadata()
  metadata.set(METADATA_KEYS.tenant, TENANT)
  metadata.set(METADATA_KEYS.caller, 'bench')
  const call = (method, request) =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS }
      client[method](request, metadata, options, (error, response) => (error ? reject(error) : resolve(response)))
    })
  return {
    /** A query in the shape of the public API with its kind; resolves with the answer as it comes, `dataJson` unparsed. */
    query: (query) => call('runQuery', toRequest(query)),
    /** A page of a user's events. */
    timeline: (userId) =>
      call('listEvents', {
        event: '',
        userId,
        from: undefined,
        to: undefined,
        limit: 50,
        cursor: '',
        messageId: '',
        filters: [],
      }),
    close: () => client.close(),
  }
}

export function toRequest(query) {
  return {
    kind: query.kind,
    event: query.event ?? '',
    metric: query.metric && { agg: query.metric.agg, property: query.metric.property ?? '' },
    from: query.from && new Date(query.from),
    to: query.to && new Date(query.to),
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
    explain: query.explain ?? false,
    steps: (query.steps ?? []).map((event) => ({ event, filters: [] })),
    windowMs: BigInt(query.window ?? 0),
    returnEvent: query.return_event ?? '',
    periods: query.periods ?? 0,
    compare: query.compare ?? '',
    fill: '',
    minWatermark: undefined,
    fresh: query.fresh ?? false,
  }
}
