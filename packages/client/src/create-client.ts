import { AnswerMemory } from './answer-memory.js'
import {
  type Acceptance,
  type EventInput,
  type EventsFilter,
  type Receipt,
  type StoredEvent,
  withMessageIds,
} from './events.js'
import { QUERY_KINDS, type QueryKindName, type QueryKinds } from './gen/query-types.js'
import { type LiveCounts, type LiveTicket, watchLive } from './live.js'
import type { StoredTransformRules, TransformRules, TransformTrial, TriedLines } from './log-transforms.js'
import type {
  LiveLines,
  LiveLogsQuery,
  LogBucket,
  LogContext,
  LogCounts,
  LogHistogramQuery,
  LogLine,
  LogPattern,
  LogPatternsQuery,
  LogsFilter,
  LogsPage,
  LogValue,
  TopLogValuesQuery,
} from './logs.js'
import { withTextLists } from './logs.js'
import { createPages, type Page, type Pages } from './pages.js'
import { parseJson } from './parse-json.js'
import type { KeptRejection, RejectionsFilter } from './rejections.js'
import { createRunQuery, toQueryString, type WithDates } from './run-query.js'
import { type CallOptions, createTransport, defaultTransportDeps, type TransportDeps } from './transport.js'
import type {
  ActivitiesFilter,
  ActivitiesPage,
  Activity,
  Session,
  SessionsFilter,
  SessionsPage,
} from './typed-lists.js'

/** Where the gateway is, the key, and limits of a client. */
export interface ClientOptions {
  /** Address of the gateway, such as https://millrace.example. */
  readonly url: string
  /** API key with the scope read for queries and write for sending. On a web page, every visitor can read it. */
  readonly key: string
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch | undefined
  /** Time limit of a whole call, retries included, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** How often a call is retried after 429, 503 or a network failure. Default 3. */
  readonly retries?: number | undefined
  /** Number of answers to remember for If-None-Match, so that the server does not send unchanged answers again. Default 100; 0 remembers none. */
  readonly answersKept?: number | undefined
}

/** One method per kind of query. Calls reject with MillraceError, or with the reason of the caller's signal. */
export type Queries = {
  readonly [K in QueryKindName]: (
    query: WithDates<QueryKinds[K]['query']>,
    options?: CallOptions,
  ) => Promise<QueryKinds[K]['answer']>
}

interface ListFilter {
  readonly cursor?: string | undefined
}

/**
 * A client of one gateway with one key. All calls reject with MillraceError, or with the reason of the caller's
 * signal.
 */
export interface Client {
  readonly query: Queries
  /** All points of a query. Pages are requested while the caller iterates. */
  queryPages<K extends QueryKindName>(
    kind: K,
    query: WithDates<QueryKinds[K]['query']>,
    options?: CallOptions,
  ): Pages<QueryKinds[K]['point'], QueryKinds[K]['answer']>
  /** Stored events, newest first. */
  events(filter?: EventsFilter, options?: CallOptions): Pages<StoredEvent, Page<StoredEvent>>
  /** Stored events of one user, newest first. `userId` is a user id, or the anonymous id of events without a user id. */
  timeline(
    userId: string,
    filter?: Omit<EventsFilter, 'user_id' | 'message_id'>,
    options?: CallOptions,
  ): Pages<StoredEvent, Page<StoredEvent>>
  /** Sessions ordered by their start, newest first. Only the first page has a summary. */
  sessions(filter?: SessionsFilter, options?: CallOptions): Pages<Session, SessionsPage>
  /** Sessions of one user, as `sessions` returns them. */
  userSessions(
    userId: string,
    filter?: Omit<SessionsFilter, 'user_id'>,
    options?: CallOptions,
  ): Pages<Session, SessionsPage>
  /** Activities (from `$activity` events), newest first. */
  activities(filter?: ActivitiesFilter, options?: CallOptions): Pages<Activity, ActivitiesPage>
  /** The most recent rejected events and refused requests, newest first. SDKs hide them, because they ignore the body of an answer. */
  rejections(filter?: RejectionsFilter, options?: CallOptions): Pages<KeptRejection, Page<KeptRejection>>
  /** The number of events in each second, until the loop ends or the signal is aborted. */
  live(options?: Pick<CallOptions, 'signal'>): AsyncIterable<LiveCounts>
  /** Log lines, newest first. */
  logs(filter?: LogsFilter, options?: CallOptions): Pages<LogLine, LogsPage>
  /** The lines of the same service and host around a log line: 10 before and 10 after it, unless other numbers are given. */
  logContext(
    id: string,
    options?: CallOptions & { readonly before?: number | undefined; readonly after?: number | undefined },
  ): Promise<LogContext>
  /** Counts of log lines by time, and with `group_by` by the values of a field. */
  logHistogram(query?: LogHistogramQuery, options?: CallOptions): Promise<LogCounts<LogBucket>>
  /** The most frequent values of a field of log lines. */
  topLogValues(query: TopLogValuesQuery, options?: CallOptions): Promise<LogCounts<LogValue>>
  /** The most frequent patterns of messages, compared with the range of the same length before. */
  logPatterns(query?: LogPatternsQuery, options?: CallOptions): Promise<LogCounts<LogPattern>>
  /** Log lines as they arrive, until the loop ends or the signal is aborted. After a lost connection it continues where it was. */
  liveLogs(options?: LiveLogsQuery & Pick<CallOptions, 'signal'>): AsyncIterable<LiveLines>
  /** A ticket with which a page opens the live stream by EventSource, without the key: `new EventSource(ticket.url)`. */
  liveTicket(options?: CallOptions): Promise<LiveTicket>
  /** Sends events. Resolves when the stream holds them, or with `wait: 'stored'` when their rows are committed. Retries store nothing twice. */
  sendEvents(
    events: readonly EventInput[],
    options?: CallOptions & { readonly wait?: 'stored' | undefined },
  ): Promise<Acceptance>
  /** Where the events of a request are now. `waitMs` is the longest time to wait until all of them are committed. */
  receipt(receipt: string, options?: CallOptions & { readonly waitMs?: number | undefined }): Promise<Receipt>
  /** The rules that change log lines before they are stored; the newest version, or the given one. */
  logTransforms(options?: CallOptions & { readonly version?: number | undefined }): Promise<StoredTransformRules>
  /** Replaces the rules. With `version` only the version that the caller has read is replaced, else the call rejects with TRANSFORMS_CHANGED. */
  putLogTransforms(
    rules: TransformRules,
    options?: CallOptions & { readonly version?: number | undefined },
  ): Promise<StoredTransformRules>
  /** What rules would do with lines. Stores nothing. */
  tryLogTransforms(trial: TransformTrial, options?: CallOptions): Promise<TriedLines>
}

/** Creates a client of one gateway with one key. It holds no connection, so it need not be closed. */
export function createClient(options: ClientOptions): Client {
  // Browsers require that fetch is not called as a method of another object.
  const given = options.fetch ?? fetch
  return buildClient(options, { ...defaultTransportDeps, fetch: (input, init) => given(input, init) })
}

const LOG_TRANSFORMS = '/api/v1/logs/transforms'

/** `createClient` with its dependencies handed in, for tests. */
export function buildClient(options: ClientOptions, deps: TransportDeps): Client {
  const { url, key, timeoutMs = 30_000, retries = 3, answersKept = 100 } = options
  const transport = createTransport({ url, key, timeoutMs, retries }, deps)
  const runQuery = createRunQuery({ transport, memory: new AnswerMemory(answersKept) })
  const query = Object.fromEntries(
    QUERY_KINDS.map((kind) => [kind, (request: never, more?: CallOptions) => runQuery(kind, request, more)]),
  ) as unknown as Queries
  const read = async <T>(path: string, more?: CallOptions): Promise<T> =>
    parseJson<T>((await transport.send({ path }, more)).text)
  const list = <T, P extends Page<T>>(path: string, filter: ListFilter, more?: CallOptions): Pages<T, P> =>
    createPages((cursor) => read(`${path}${toQueryString({ ...filter, cursor })}`, more), filter.cursor)

  return {
    query,
    queryPages: <K extends QueryKindName>(kind: K, request: WithDates<QueryKinds[K]['query']>, more?: CallOptions) =>
      createPages<QueryKinds[K]['point'], QueryKinds[K]['answer']>(
        (cursor) => runQuery(kind, { ...request, cursor }, more),
        request.cursor,
      ) as Pages<QueryKinds[K]['point'], QueryKinds[K]['answer']>,
    events: (filter = {}, more) => list('/api/v1/events', filter, more),
    timeline: (userId, filter = {}, more) => list(`/api/v1/users/${encodeURIComponent(userId)}/timeline`, filter, more),
    sessions: (filter = {}, more) => list('/api/v1/sessions', filter, more),
    userSessions: (userId, filter = {}, more) =>
      list(`/api/v1/users/${encodeURIComponent(userId)}/sessions`, filter, more),
    activities: (filter = {}, more) => list('/api/v1/activities', filter, more),
    rejections: (filter = {}, more) => list('/api/v1/rejections', filter, more),
    live: ({ signal } = {}) => ({
      [Symbol.asyncIterator]: () =>
        watchLive<LiveCounts>(transport, deps, {
          path: '/api/v1/live',
          event: 'counts',
          signal: signal ?? new AbortController().signal,
        }),
    }),
    logs: (filter = {}, more) => list('/api/v1/logs', withTextLists(filter), more),
    logContext: (id, { before, after, ...more } = {}) =>
      read(`/api/v1/logs/${encodeURIComponent(id)}/context${toQueryString({ before, after })}`, more),
    logHistogram: (query = {}, more) => read(`/api/v1/logs/histogram${toQueryString(withTextLists(query))}`, more),
    topLogValues: (query, more) => read(`/api/v1/logs/top${toQueryString(withTextLists(query))}`, more),
    logPatterns: (query = {}, more) => read(`/api/v1/logs/patterns${toQueryString(withTextLists(query))}`, more),
    liveLogs: ({ signal, ...query } = {}) => ({
      [Symbol.asyncIterator]: () =>
        watchLive<LiveLines>(transport, deps, {
          path: `/api/v1/logs/live${toQueryString(withTextLists(query))}`,
          event: 'lines',
          signal: signal ?? new AbortController().signal,
        }),
    }),
    async liveTicket(more) {
      const { text } = await transport.send({ method: 'POST', path: '/api/v1/live/tickets' }, more)
      const ticket = parseJson<LiveTicket>(text)
      return { ...ticket, url: `${url.replace(/\/+$/, '')}${ticket.url}` }
    },
    async sendEvents(events, { wait, ...more } = {}) {
      const path = `/v1/events${toQueryString({ wait })}`
      const { text } = await transport.send({ method: 'POST', path, body: withMessageIds(events) }, more)
      return parseJson<Acceptance>(text)
    },
    receipt: (receipt, { waitMs, ...more } = {}) =>
      read(`/v1/receipts/${encodeURIComponent(receipt)}${toQueryString({ wait_ms: waitMs })}`, more),
    logTransforms: ({ version, ...more } = {}) => read(`${LOG_TRANSFORMS}${toQueryString({ version })}`, more),
    async putLogTransforms(rules, { version, ...more } = {}) {
      const headers = version === undefined ? {} : { 'if-match': `"${version}"` }
      const { text } = await transport.send({ method: 'PUT', path: LOG_TRANSFORMS, body: rules, headers }, more)
      return parseJson<StoredTransformRules>(text)
    },
    async tryLogTransforms(trial, more) {
      const { text } = await transport.send({ method: 'POST', path: `${LOG_TRANSFORMS}/try`, body: trial }, more)
      return parseJson<TriedLines>(text)
    },
  }
}
