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
import { type LiveCounts, watchLive } from './live.js'
import { createPages, type Page, type Pages } from './pages.js'
import { parseJson } from './parse-json.js'
import { type Asked, createRunQuery, toQueryString } from './run-query.js'
import { type CallOptions, createTransport, defaultTransportDeps, type TransportDeps } from './transport.js'
import type {
  ActivitiesFilter,
  ActivitiesPage,
  Activity,
  Session,
  SessionsFilter,
  SessionsPage,
} from './typed-lists.js'

export interface ClientOptions {
  /** Of the gateway, such as https://millrace.example. */
  readonly url: string
  /** With the scope read for queries, write for sending. It is readable for whoever uses the page it is given to. */
  readonly key: string
  /** Default: the fetch of the environment. */
  readonly fetch?: typeof fetch | undefined
  /** Of a whole call, repetitions included. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** How often a call is repeated after 429, 503 or a failure of the network. Default 3. */
  readonly retries?: number | undefined
  /** Answers kept for If-None-Match, so that an unchanged one is not sent again. Default 100; 0 keeps none. */
  readonly answersKept?: number | undefined
}

/** Every kind of query by its name. Calls reject with MillraceError, or with the reason of the caller's signal. */
export type Queries = {
  readonly [K in QueryKindName]: (
    query: Asked<QueryKinds[K]['query']>,
    options?: CallOptions,
  ) => Promise<QueryKinds[K]['answer']>
}

interface ListFilter {
  readonly cursor?: string | undefined
}

export interface Client {
  readonly query: Queries
  /** All points of a query, page by page as they are iterated over. */
  queryPages<K extends QueryKindName>(
    kind: K,
    query: Asked<QueryKinds[K]['query']>,
    options?: CallOptions,
  ): Pages<QueryKinds[K]['point'], QueryKinds[K]['answer']>
  /** Stored events, newest first. */
  events(filter?: EventsFilter, options?: CallOptions): Pages<StoredEvent, Page<StoredEvent>>
  /** Stored events of one user, newest first: by user id, or by anonymous id those without a user id. */
  timeline(
    userId: string,
    filter?: Omit<EventsFilter, 'user_id' | 'message_id'>,
    options?: CallOptions,
  ): Pages<StoredEvent, Page<StoredEvent>>
  /** Sessions, by their start, newest first; the first page has a summary. */
  sessions(filter?: SessionsFilter, options?: CallOptions): Pages<Session, SessionsPage>
  /** Sessions of one user, in the same way. */
  userSessions(
    userId: string,
    filter?: Omit<SessionsFilter, 'user_id'>,
    options?: CallOptions,
  ): Pages<Session, SessionsPage>
  /** What `$activity` events say, newest first. */
  activities(filter?: ActivitiesFilter, options?: CallOptions): Pages<Activity, ActivitiesPage>
  /** Counts a second, until the loop ends or the signal is aborted. */
  live(options?: Pick<CallOptions, 'signal'>): AsyncIterable<LiveCounts>
  /** Sends events; resolves when the stream holds them, or with `wait: 'stored'` when their rows are committed. Safe to repeat. */
  sendEvents(
    events: readonly EventInput[],
    options?: CallOptions & { readonly wait?: 'stored' | undefined },
  ): Promise<Acceptance>
  /** Where the events of a request are now; `waitMs` waits so long for them to settle. */
  receipt(receipt: string, options?: CallOptions & { readonly waitMs?: number | undefined }): Promise<Receipt>
}

/** A client of one gateway for one key. It holds no connection of its own and needs no closing. */
export function createClient(options: ClientOptions): Client {
  // In a browser fetch must not be called as a method of something else.
  const given = options.fetch ?? fetch
  return buildClient(options, { ...defaultTransportDeps, fetch: (input, init) => given(input, init) })
}

export function buildClient(options: ClientOptions, deps: TransportDeps): Client {
  const { url, key, timeoutMs = 30_000, retries = 3, answersKept = 100 } = options
  const transport = createTransport({ url, key, timeoutMs, retries }, deps)
  const runQuery = createRunQuery({ transport, memory: new AnswerMemory(answersKept) })
  const query = Object.fromEntries(
    QUERY_KINDS.map((kind) => [kind, (asked: never, more?: CallOptions) => runQuery(kind, asked, more)]),
  ) as unknown as Queries
  const read = async <T>(path: string, more?: CallOptions): Promise<T> =>
    parseJson<T>((await transport.send({ path }, more)).text)
  const list = <T, P extends Page<T>>(path: string, filter: ListFilter, more?: CallOptions): Pages<T, P> =>
    createPages((cursor) => read(`${path}${toQueryString({ ...filter, cursor })}`, more), filter.cursor)

  return {
    query,
    queryPages: <K extends QueryKindName>(kind: K, asked: Asked<QueryKinds[K]['query']>, more?: CallOptions) =>
      createPages<QueryKinds[K]['point'], QueryKinds[K]['answer']>(
        (cursor) => runQuery(kind, { ...asked, cursor }, more),
        asked.cursor,
      ) as Pages<QueryKinds[K]['point'], QueryKinds[K]['answer']>,
    events: (filter = {}, more) => list('/api/v1/events', filter, more),
    timeline: (userId, filter = {}, more) => list(`/api/v1/users/${encodeURIComponent(userId)}/timeline`, filter, more),
    sessions: (filter = {}, more) => list('/api/v1/sessions', filter, more),
    userSessions: (userId, filter = {}, more) =>
      list(`/api/v1/users/${encodeURIComponent(userId)}/sessions`, filter, more),
    activities: (filter = {}, more) => list('/api/v1/activities', filter, more),
    live: ({ signal } = {}) => ({
      [Symbol.asyncIterator]: () => watchLive(transport, deps, signal ?? new AbortController().signal),
    }),
    async sendEvents(events, { wait, ...more } = {}) {
      const path = `/v1/events${toQueryString({ wait })}`
      const { text } = await transport.send({ method: 'POST', path, body: withMessageIds(events) }, more)
      return parseJson<Acceptance>(text)
    },
    receipt: (receipt, { waitMs, ...more } = {}) =>
      read(`/v1/receipts/${encodeURIComponent(receipt)}${toQueryString({ wait_ms: waitMs })}`, more),
  }
}
