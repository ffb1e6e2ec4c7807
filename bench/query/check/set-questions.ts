// Queries whose values are not sums over events: each question knows the bounds of its values.
import { DAY_MS, HOUR_MS } from '@millrace/contracts'
import type pg from 'pg'
import type { Query } from '../ask/query.js'
import { FUNNEL } from '../data/model.js'
import {
  type Bounds,
  funnelBounds,
  type KeyBounds,
  quantileBounds,
  retentionBounds,
  sessionBounds,
  uniquesBounds,
} from './bounds.js'
import { LIVE_USERS } from './live-events.js'
import type { Point, StoredEvent } from './stored-event.js'

const WIDTH = { '1h': HOUR_MS, '1d': DAY_MS }
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 }

/** A query whose values are not sums. */
export interface SetQuestion {
  readonly query: Query & { from: string }
  readonly isClosed: boolean
  isIn(event: StoredEvent): boolean
  /** Reads what is stored before any live event, in the form that `boundsOf` takes. */
  readBase(database: pg.Client): Promise<unknown>
  boundsOf(base: unknown, must: readonly StoredEvent[], may: readonly StoredEvent[]): ReadonlyMap<string, Bounds>
  valuesOf(points: readonly Point[]): ReadonlyMap<string, number | null>
}

/** `boundsOf` takes what `readBase` returned. */
interface Parts<Base> extends Omit<SetQuestion, 'readBase' | 'boundsOf'> {
  readBase(database: pg.Client): Promise<Base>
  boundsOf(base: Base, must: readonly StoredEvent[], may: readonly StoredEvent[]): ReadonlyMap<string, Bounds>
}

interface TimeRange {
  fromMs: number
  /** Infinity for an open range. */
  toMs: number
}

interface Sums {
  least: number
  most: number
}

export function createSetQuestions({ endMs }: { endMs: number }): SetQuestion[] {
  const day = Math.floor(endMs / DAY_MS) * DAY_MS
  const closed = (days: number) => ({ fromMs: day - days * DAY_MS, toMs: day })
  const open = { fromMs: day, toMs: Number.POSITIVE_INFINITY }
  return [
    uniques({ event: 'Product Viewed', interval: '1d' }, closed(14)),
    uniques({ event: 'Page Viewed', interval: '1h' }, open),
    percentiles({ event: 'Order Completed', property: 'revenue', interval: '1d' }, closed(7)),
    percentiles({ event: 'Page Viewed', property: 'duration_ms', interval: '1h' }, open),
    percentiles({ event: 'Product Viewed', property: 'price', interval: '1h' }, closed(1)),
    funnel(closed(3)),
    funnel(open),
    retention('Product Added', closed(4)),
    sessions('Page Viewed', closed(2)),
    sessions('Page Viewed', open),
  ]
}

function setQuestion<Base>({ boundsOf, ...parts }: Parts<Base>): SetQuestion {
  return { ...parts, boundsOf: (base, must, may) => boundsOf(base as Base, must, may) }
}

function uniques({ event, interval }: Bucketed, range: TimeRange): SetQuestion {
  const width = WIDTH[interval]
  return setQuestion<Map<string, KnownUsers>>({
    ...common({ kind: 'uniques', event, interval }, [event], { range, read: range }),
    async readBase(database) {
      const { rows } = await database.query<KnownUsers & { key: string }>({
        text: `select ${bucketSql(width)} as key, count(distinct user_hash) filter (where ${NOT_LIVE})::int as others,
            coalesce(array_agg(distinct user_id) filter (where not (${NOT_LIVE})), '{}') as users
          from events where ${conditions([event], range)} group by 1`,
        values: [LIVE_USERS],
      })
      return new Map(rows.map(({ key, others, users }) => [key, { others, users }]))
    },
    boundsOf(base, must, may) {
      const keyOf = ({ timeMs }: StoredEvent) => bucketOf(timeMs, width)
      return byKey(base, { must, may, keyOf }, (known, sure, possible) => {
        const { others, users } = known ?? { others: 0, users: [] }
        const userOf = ({ userId }: StoredEvent) => userId
        return { '': uniquesBounds(others, [...users, ...sure.map(userOf)], possible.map(userOf)) }
      })
    },
    valuesOf: (points) => new Map(points.map(({ time, value }) => [bucketOf(timeOf(time), width), value ?? 0])),
  })
}

function percentiles({ event, property, interval }: Bucketed & { property: string }, range: TimeRange): SetQuestion {
  const width = WIDTH[interval]
  const metric = { agg: 'p95', property: `properties.${property}` }
  return setQuestion<Map<string, number[]>>({
    ...common({ kind: 'percentiles', event, metric, interval }, [event], { range, read: range }),
    async readBase(database) {
      const { rows } = await database.query<{ key: string; values: number[] }>(
        `select ${bucketSql(width)} as key, array_agg((properties->>'${property}')::float8) as values
          from events where ${conditions([event], range)} group by 1`,
      )
      return new Map(rows.map(({ key, values }) => [key, values]))
    },
    boundsOf(base, must, may) {
      const keyOf = ({ timeMs }: StoredEvent) => bucketOf(timeMs, width)
      return byKey(base, { must, may, keyOf }, (known, sure, possible) => {
        const numberOf = ({ properties }: StoredEvent) => Number(properties[property])
        const sorted = Float64Array.from([...(known ?? []), ...sure.map(numberOf)]).sort()
        const optional = possible.map(numberOf)
        const count = { least: sorted.length, most: sorted.length + optional.length }
        const bounds = Object.entries(QUANTILES).map(([name, q]) => {
          const { least, most } = quantileBounds(sorted, optional, q) ?? { least: 0, most: 0 }
          return [` ${name}`, { least, most, mayMiss: true }]
        })
        return { ' count': count, ...Object.fromEntries(bounds) }
      })
    },
    valuesOf: (points) =>
      new Map(
        points.flatMap(({ time, values }) =>
          Object.entries(values ?? {}).map(([name, value]): [string, number | null] => [
            `${bucketOf(timeOf(time), width)} ${name}`,
            value,
          ]),
        ),
      ),
  })
}

function funnel(range: TimeRange): SetQuestion {
  const windowMs = HOUR_MS
  const steps = (rows: readonly PathRow[]) => rows.map((row) => ({ ...row, step: FUNNEL.indexOf(row.event) }))
  return journey({ kind: 'funnel', steps: FUNNEL, window: windowMs }, FUNNEL, {
    range,
    boundsOfUser: (must, may) => funnelBounds(steps(must), steps(may), { windowMs }),
    valuesOf: (points) => new Map(points.map(({ step, value }) => [String(step), value ?? null])),
  })
}

function retention(event: string, range: TimeRange): SetQuestion {
  const periodOf = (timeMs: number) => Math.floor((timeMs - range.fromMs) / DAY_MS)
  return journey({ kind: 'retention', event, return_event: event, interval: '1d' }, [event], {
    range,
    boundsOfUser: (must, may) => retentionBounds(must, may, { periodOf }),
    valuesOf: (points) =>
      new Map(points.map(({ time, period, value }) => [`${periodOf(timeOf(time))} ${period}`, value ?? null])),
  })
}

function sessions(event: string, range: TimeRange): SetQuestion {
  const gapMs = HOUR_MS / 2
  return journey({ kind: 'sessions', event }, [event], {
    range,
    beforeMs: gapMs,
    boundsOfUser: (must, may) => sessionBounds(must, may, { fromMs: range.fromMs, gapMs }),
    valuesOf: ([point]) =>
      new Map([
        ['sessions', point?.value ?? 0],
        ['users', point?.values?.users ?? 0],
      ]),
  })
}

interface Bucketed {
  event: string
  interval: keyof typeof WIDTH
}

/** The users of one bucket: the number of those without live events, and the ids of the others. */
interface KnownUsers {
  others: number
  users: string[]
}

/** An event on the path of a user, as stored or as sent. */
interface PathRow {
  readonly userId: string
  readonly event: string
  readonly timeMs: number
}

interface StoredPathRow extends PathRow {
  user: string
  isLive: boolean
}

interface KnownPaths {
  others: Map<string, Sums>
  live: PathRow[]
}

interface Journey {
  range: TimeRange
  /** How long before the range events still matter. Default 0. */
  beforeMs?: number
  boundsOfUser(must: readonly PathRow[], may: readonly PathRow[]): KeyBounds[]
  valuesOf: SetQuestion['valuesOf']
}

/** Only few users have live events; the bounds of all others are computed once. */
function journey(query: Query, names: string[], { range, beforeMs = 0, boundsOfUser, valuesOf }: Journey): SetQuestion {
  const read = { fromMs: range.fromMs - beforeMs, toMs: range.toMs }
  return setQuestion<KnownPaths>({
    ...common(query, names, { range, read }),
    async readBase(database) {
      const { rows } = await database.query<StoredPathRow>({
        text: `select user_hash::text as user, user_id as "userId", event, (extract(epoch from "timestamp") * 1000)::float8 as "timeMs", not (${NOT_LIVE}) as "isLive"
          from events where ${conditions(names, read)}`,
        values: [LIVE_USERS],
      })
      const others = new Map<string, Sums>()
      for (const [, events] of groupBy(rows, ({ user }) => user)) {
        if (!events[0]?.isLive) addAll(others, boundsOfUser(events, []))
      }
      return { others, live: rows.filter(({ isLive }) => isLive) }
    },
    boundsOf({ others, live }, must, may) {
      const bounds = new Map(Array.from(others, ([key, sums]): [string, Sums] => [key, { ...sums }]))
      const userOf = ({ userId }: PathRow) => userId
      const [sure, possible] = [groupBy<PathRow>([...live, ...must], userOf), groupBy<PathRow>(may, userOf)]
      for (const user of new Set([...sure.keys(), ...possible.keys()]))
        addAll(bounds, boundsOfUser(sure.get(user) ?? [], possible.get(user) ?? []))
      return bounds
    },
    valuesOf,
  })
}

const NOT_LIVE = 'user_id is null or not user_id = any ($1::text[])'

function common(
  query: Query,
  names: string[],
  { range: { fromMs, toMs }, read }: { range: TimeRange; read: TimeRange },
): Pick<SetQuestion, 'query' | 'isClosed' | 'isIn'> {
  const isClosed = Number.isFinite(toMs)
  const range = { from: new Date(fromMs).toISOString(), ...(isClosed && { to: new Date(toMs).toISOString() }) }
  return {
    query: { ...query, ...range },
    isClosed,
    isIn: ({ timeMs, event }) => timeMs >= read.fromMs && timeMs < read.toMs && names.includes(event),
  }
}

function conditions(names: string[], { fromMs, toMs }: TimeRange): string {
  const until = Number.isFinite(toMs) ? ` and "timestamp" < '${new Date(toMs).toISOString()}'` : ''
  const list = names.map((name) => `'${name}'`).join(', ')
  return `tenant_id = 1 and event in (${list}) and "timestamp" >= '${new Date(fromMs).toISOString()}'${until}`
}

const bucketSql = (width: number) =>
  `(floor(extract(epoch from "timestamp") * 1000 / ${width}) * ${width})::bigint::text`
const timeOf = (time: string | undefined) => Date.parse(time ?? '')
const bucketOf = (timeMs: number, width: number) => String(Math.floor(timeMs / width) * width)

interface KeyedEvents {
  must: readonly StoredEvent[]
  may: readonly StoredEvent[]
  keyOf(event: StoredEvent): string
}

/** `make` returns the bounds of one key by the suffix that is added to the key. */
function byKey<Known>(
  base: ReadonlyMap<string, Known>,
  { must, may, keyOf }: KeyedEvents,
  make: (known: Known | undefined, sure: StoredEvent[], possible: StoredEvent[]) => Record<string, Bounds>,
): Map<string, Bounds> {
  const [sure, possible] = [groupBy(must, keyOf), groupBy(may, keyOf)]
  const bounds = new Map<string, Bounds>()
  for (const key of new Set([...base.keys(), ...sure.keys(), ...possible.keys()])) {
    const made = make(base.get(key), sure.get(key) ?? [], possible.get(key) ?? [])
    for (const [suffix, one] of Object.entries(made)) bounds.set(`${key}${suffix}`, one)
  }
  return bounds
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

function addAll(bounds: Map<string, Sums>, parts: readonly KeyBounds[]): void {
  for (const { key, least, most } of parts) {
    const sums = bounds.get(key) ?? { least: 0, most: 0 }
    bounds.set(key, { least: sums.least + least, most: sums.most + most })
  }
}
