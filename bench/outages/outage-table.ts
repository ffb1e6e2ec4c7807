import type { StreamKind } from '../lib/stream-kind.js'

/** A part that others depend on. To add one (S3, OpenSearch): a line here, its effects in EFFECTS, and how to break it in outage-stack.ts. */
export const DEPENDENCIES = [
  'PostgreSQL',
  'stream Redis',
  'Kafka',
  'cache Redis',
  'stream-consumer',
  'analytics-query',
  'health-aggregator',
] as const
export type Dependency = (typeof DEPENDENCIES)[number]

/** The server of the stream by what STREAM_DRIVER names. A stack has one of them. */
export const STREAM_SERVERS = { redis: 'stream Redis', kafka: 'Kafka' } as const satisfies Record<
  StreamKind,
  Dependency
>

export const FAULTS = ['down', 'frozen', 'slow', 'requests lost', 'answers lost'] as const
export type Fault = (typeof FAULTS)[number]

export const ROUTES = [
  'ingest, known key',
  'ingest, unknown key',
  'ingest with wait=stored',
  'receipt',
  'query, in the cache',
  'query, not in the cache',
  'list',
  'keys',
  'dead letters',
  'rejections',
  'live',
  'ledger',
  'health',
  '/ready of ingest-gateway',
  '/ready of stream-consumer',
  '/ready of analytics-query',
  '/ready of health-aggregator',
  '/metrics of all services',
  'docs',
] as const
export type Route = (typeof ROUTES)[number]

/** What a client sees: one of the outcomes, no later than the time. */
export interface Expectation {
  /**
   * As RouteProbe reports them: a status, for wait=stored with the state of the records, for live the first event of the stream. None: the process itself
   * is frozen, so the route is not asked.
   */
  readonly outcomes: readonly string[]
  readonly withinS: number
}

/** The routes that a dependency changes, by fault. Routes that are not named work as always. */
type Effects = (fault: Fault) => Partial<Record<Route, Expectation>>

const AT_ONCE_S = 1
/** A dependency that does not answer is noticed after at most 4.5 s (docs/decisions/0024). */
const NOTICED_S = 5
/** Default of QUERY_DEADLINE_MS. */
const QUERY_S = 15
/** WAIT_STORED_MS, by default 10 s, and 2 s for the answer. */
const WAIT_S = 12

/** Time limit of a command on Redis, and a second for the rest. */
const COMMAND_S = 6

const within = (withinS: number, ...outcomes: readonly string[]): Expectation => ({ outcomes, withinS })
const unavailable = within(NOTICED_S, '503')
const NOT_ASKED = within(0)

/** Without a fault. */
export function usual(route: Route): Expectation {
  if (route === 'ingest, unknown key') return within(AT_ONCE_S, '401')
  if (route === 'ingest with wait=stored') return within(AT_ONCE_S, '200 settled')
  if (route === 'live') return within(2, 'counts')
  return within(AT_ONCE_S, '200')
}

const EFFECTS: Readonly<Record<Dependency, Effects>> = {
  PostgreSQL: (fault) => ({
    'ingest, unknown key': within(2, '503', ...(fault === 'slow' ? ['401'] : [])),
    'ingest with wait=stored':
      fault === 'slow'
        ? within(WAIT_S, '200 unknown', '200 in_flight', '200 settled')
        : within(NOTICED_S, '200 unknown'),
    ...(fault === 'slow'
      ? {
          receipt: within(QUERY_S, '200', '503'),
          'query, not in the cache': within(QUERY_S, '200', '503'),
          list: within(QUERY_S, '200', '503'),
          keys: within(QUERY_S, '200', '503'),
          'dead letters': within(QUERY_S, '200', '503'),
          ledger: within(NOTICED_S, '200', '503'),
        }
      : {
          receipt: unavailable,
          'query, not in the cache': unavailable,
          list: unavailable,
          keys: unavailable,
          'dead letters': unavailable,
          ledger: unavailable,
        }),
    health: within(3, '503'),
    '/ready of stream-consumer': within(3, '503'),
    '/ready of analytics-query': within(3, '503'),
  }),
  'stream Redis': (fault) => ({
    'ingest, known key': within(2, '200'),
    'ingest with wait=stored':
      fault === 'slow' ? within(WAIT_S, '200 in_flight', '200 settled') : within(WAIT_S, '200 in_flight'),
    health: within(3, '200', '503'),
    '/ready of stream-consumer': within(3, '503'),
  }),
  Kafka: (fault) => ({
    'ingest, known key': within(2, '200'),
    'ingest with wait=stored':
      fault === 'slow' ? within(WAIT_S, '200 in_flight', '200 settled') : within(WAIT_S, '200 in_flight'),
    health: within(3, '200', '503'),
    '/ready of stream-consumer': within(3, '503'),
  }),
  'cache Redis': (fault) => ({
    rejections: fault === 'slow' ? within(COMMAND_S, '200', '503') : within(COMMAND_S, '503'),
  }),
  'stream-consumer': (fault) =>
    fault === 'slow'
      ? {
          'ingest with wait=stored': within(WAIT_S, '200 settled', '200 unknown'),
          receipt: within(NOTICED_S + 1, '200', '503'),
          'dead letters': within(NOTICED_S + 1, '200', '503'),
          live: within(NOTICED_S + 2, 'counts', 'problem'),
        }
      : {
          'ingest with wait=stored': within(NOTICED_S, '200 unknown'),
          receipt: unavailable,
          'dead letters': unavailable,
          live: within(NOTICED_S, 'problem'),
        },
  'analytics-query': (fault) =>
    fault === 'slow'
      ? {
          'query, in the cache': within(QUERY_S, '200', '503'),
          'query, not in the cache': within(QUERY_S, '200', '503'),
          list: within(QUERY_S, '200', '503'),
        }
      : { 'query, in the cache': unavailable, 'query, not in the cache': unavailable, list: unavailable },
  'health-aggregator': (fault) =>
    fault === 'slow'
      ? { ledger: within(NOTICED_S + 1, '200', '503'), health: within(NOTICED_S, '200', '503') }
      : { ledger: unavailable, health: within(3, '503') },
}

/** What a dependency with a fault changes. */
export function effectsOf(dependency: Dependency, fault: Fault): Partial<Record<Route, Expectation>> {
  const effects = EFFECTS[dependency](fault)
  const ready = ROUTES.find((route) => route === `/ready of ${dependency}`)
  if (fault !== 'frozen' || ready === undefined) return effects
  return { ...effects, [ready]: NOT_ASKED, '/metrics of all services': NOT_ASKED, ...healthOf(dependency) }
}

/** health-aggregator notices another service that is frozen by its own time limit (HEALTH_CHECK_TIMEOUT_MS). */
function healthOf(dependency: Dependency): Partial<Record<Route, Expectation>> {
  return dependency === 'health-aggregator' ? {} : { health: within(3, '200', '503') }
}

/** What a client sees on a route while these dependencies have the fault. They must not change the same route. */
export function expected(route: Route, dependencies: readonly Dependency[], fault: Fault): Expectation {
  for (const dependency of dependencies) {
    const expectation = effectsOf(dependency, fault)[route]
    if (expectation !== undefined) return expectation
  }
  return usual(route)
}

/** Time in which every route works as always once the fault has ended, without a restart. */
export const BACK_WITHIN_S = 15
