// Queries whose values are no sums over events: each knows between which values they lie.
import { FUNNEL } from '../data/model.mjs'
import { funnelBounds, quantileBounds, retentionBounds, sessionBounds, uniquesBounds } from './bounds.mjs'
import { LIVE_USERS } from './live-events.mjs'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const WIDTH = { '1h': HOUR, '1d': DAY }
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 }

export function createSetQuestions({ endMs }) {
  const day = Math.floor(endMs / DAY) * DAY
  const closed = (days) => ({ fromMs: day - days * DAY, toMs: day })
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

function uniques({ event, interval }, range) {
  const width = WIDTH[interval]
  return {
    ...common({ kind: 'uniques', event, interval }, [event], range),
    async readBase(database) {
      const { rows } = await database.query({
        text: `select ${bucketSql(width)} as key, count(distinct user_hash) filter (where ${NOT_LIVE})::int as others,
            coalesce(array_agg(distinct user_id) filter (where not (${NOT_LIVE})), '{}') as users
          from events where ${conditions([event], range)} group by 1`,
        values: [LIVE_USERS],
      })
      return new Map(rows.map(({ key, others, users }) => [key, { others, users }]))
    },
    boundsOf(base, must, may) {
      const keyOf = ({ timeMs }) => bucketOf(timeMs, width)
      return byKey(base, { must, may, keyOf }, (known, sure, possible) => {
        const { others, users } = known ?? { others: 0, users: [] }
        const userOf = ({ userId }) => userId
        return { '': uniquesBounds(others, [...users, ...sure.map(userOf)], possible.map(userOf)) }
      })
    },
    valuesOf: (points) => new Map(points.map(({ time, value }) => [bucketOf(Date.parse(time), width), value ?? 0])),
  }
}

function percentiles({ event, property, interval }, range) {
  const width = WIDTH[interval]
  const metric = { agg: 'p95', property: `properties.${property}` }
  return {
    ...common({ kind: 'percentiles', event, metric, interval }, [event], range),
    async readBase(database) {
      const { rows } = await database.query(
        `select ${bucketSql(width)} as key, array_agg((properties->>'${property}')::float8) as values
          from events where ${conditions([event], range)} group by 1`,
      )
      return new Map(rows.map(({ key, values }) => [key, values]))
    },
    boundsOf(base, must, may) {
      const keyOf = ({ timeMs }) => bucketOf(timeMs, width)
      return byKey(base, { must, may, keyOf }, (known, sure, possible) => {
        const numberOf = ({ properties }) => properties[property]
        const sorted = Float64Array.from([...(known ?? []), ...sure.map(numberOf)]).sort()
        const optional = possible.map(numberOf)
        const count = { least: sorted.length, most: sorted.length + optional.length }
        const bounds = Object.entries(QUANTILES).map(([name, q]) => [
          ` ${name}`,
          { ...quantileBounds(sorted, optional, q), mayMiss: true },
        ])
        return { ' count': count, ...Object.fromEntries(bounds) }
      })
    },
    valuesOf: (points) =>
      new Map(
        points.flatMap(({ time, values }) =>
          Object.entries(values ?? {}).map(([name, value]) => [`${bucketOf(Date.parse(time), width)} ${name}`, value]),
        ),
      ),
  }
}

function funnel(range) {
  const windowMs = HOUR
  const stepOf = ({ event }) => FUNNEL.indexOf(event)
  return journey({ kind: 'funnel', steps: FUNNEL, window: windowMs }, FUNNEL, {
    range,
    boundsOfUser: (must, may) => {
      const steps = (rows) => rows.map((row) => ({ ...row, step: stepOf(row) }))
      return funnelBounds(steps(must), steps(may), { windowMs })
    },
    valuesOf: (points) => new Map(points.map(({ step, value }) => [String(step), value])),
  })
}

function retention(event, range) {
  const periodOf = (timeMs) => Math.floor((timeMs - range.fromMs) / DAY)
  return journey({ kind: 'retention', event, return_event: event, interval: '1d' }, [event], {
    range,
    boundsOfUser: (must, may) => retentionBounds(must, may, { periodOf }),
    valuesOf: (points) =>
      new Map(points.map(({ time, period, value }) => [`${periodOf(Date.parse(time))} ${period}`, value])),
  })
}

function sessions(event, range) {
  const gapMs = HOUR / 2
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

/** Live events are of few users; the bounds of all others are worked out once. */
function journey(query, names, { range, beforeMs = 0, boundsOfUser, valuesOf }) {
  const read = { fromMs: range.fromMs - beforeMs, toMs: range.toMs }
  return {
    ...common(query, names, range, read),
    async readBase(database) {
      const { rows } = await database.query({
        text: `select user_hash::text as user, user_id as "userId", event, (extract(epoch from "timestamp") * 1000)::float8 as "timeMs", not (${NOT_LIVE}) as "isLive"
          from events where ${conditions(names, read)}`,
        values: [LIVE_USERS],
      })
      const others = new Map()
      for (const [, events] of groupBy(rows, ({ user }) => user)) {
        if (!events[0].isLive) addAll(others, boundsOfUser(events, []))
      }
      return { others, live: rows.filter(({ isLive }) => isLive) }
    },
    boundsOf({ others, live }, must, may) {
      const bounds = new Map(Array.from(others, ([key, sums]) => [key, { ...sums }]))
      const userOf = ({ userId }) => userId
      const [sure, possible] = [groupBy([...live, ...must], userOf), groupBy(may, userOf)]
      for (const user of new Set([...sure.keys(), ...possible.keys()]))
        addAll(bounds, boundsOfUser(sure.get(user) ?? [], possible.get(user) ?? []))
      return bounds
    },
    valuesOf,
  }
}

const NOT_LIVE = 'user_id is null or not user_id = any ($1::text[])'

function common(query, names, { fromMs, toMs }, read = { fromMs, toMs }) {
  const isClosed = Number.isFinite(toMs)
  const range = { from: new Date(fromMs).toISOString(), ...(isClosed && { to: new Date(toMs).toISOString() }) }
  return {
    query: { ...query, ...range },
    isClosed,
    isIn: ({ timeMs, event }) => timeMs >= read.fromMs && timeMs < read.toMs && names.includes(event),
  }
}

function conditions(names, { fromMs, toMs }) {
  const until = Number.isFinite(toMs) ? ` and "timestamp" < '${new Date(toMs).toISOString()}'` : ''
  const list = names.map((name) => `'${name}'`).join(', ')
  return `tenant_id = 1 and event in (${list}) and "timestamp" >= '${new Date(fromMs).toISOString()}'${until}`
}

const bucketSql = (width) => `(floor(extract(epoch from "timestamp") * 1000 / ${width}) * ${width})::bigint::text`
const bucketOf = (timeMs, width) => String(Math.floor(timeMs / width) * width)

/** `make` gives the bounds of one key by what is added to its name. */
function byKey(base, { must, may, keyOf }, make) {
  const [sure, possible] = [groupBy(must, keyOf), groupBy(may, keyOf)]
  const bounds = new Map()
  for (const key of new Set([...base.keys(), ...sure.keys(), ...possible.keys()])) {
    const made = make(base.get(key), sure.get(key) ?? [], possible.get(key) ?? [])
    for (const [suffix, one] of Object.entries(made)) bounds.set(`${key}${suffix}`, one)
  }
  return bounds
}

function groupBy(items, keyOf) {
  const groups = new Map()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

function addAll(bounds, parts) {
  for (const { key, least, most } of parts) {
    const sums = bounds.get(key) ?? { least: 0, most: 0 }
    bounds.set(key, { least: sums.least + least, most: sums.most + most })
  }
}
