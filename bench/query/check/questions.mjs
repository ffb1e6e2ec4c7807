// Queries whose every value can be told from the events alone.
const HOUR = 3_600_000
const DAY = 24 * HOUR
const WIDTH = { '1m': 60_000, '1h': HOUR, '1d': DAY }
const NAMES = ['Page Viewed', 'Product Viewed', 'Product Added', 'Feature 01 Used', '$login']

/**
 * Closed ranges of the past, into which late events fall, and open ones that end where they are asked. Each knows the key of an event in its answer
 * (undefined: it does not count), what it adds, and the SQL for what is stored already.
 */
export function createQuestions({ endMs, nowMs }) {
  const day = Math.floor(endMs / DAY) * DAY
  const closed = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1d', ...range(day - 14 * DAY, day) }),
    question({ kind: 'timeseries', event, interval: '1h', ...range(endMs - 3 * DAY, endMs) }),
    question({ kind: 'timeseries', event, interval: '1m', ...range(endMs - 12 * HOUR, endMs) }),
  ])
  const open = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1h', ...range(day - DAY) }),
    question({ kind: 'timeseries', event, interval: '1m', ...range(Math.floor(nowMs / HOUR) * HOUR - HOUR) }),
  ])
  // Late events fall into the period before as well as into the one that was asked for.
  const compared = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1d', compare: 'previous', ...range(day - 2 * DAY, day) }),
    question({ kind: 'timeseries', event, interval: '1h', compare: 'previous', ...range(day - DAY, day) }),
  ])
  return [
    ...closed,
    ...open,
    ...compared,
    question({ kind: 'top', group_by: ['event'], limit: 100, ...range(day - 7 * DAY, day) }),
    question({ kind: 'top', group_by: ['event'], limit: 100, ...range(day) }),
    question({
      kind: 'top',
      event: 'Page Viewed',
      group_by: ['properties.country'],
      limit: 5,
      ...range(day - 7 * DAY, endMs),
    }),
    question({
      kind: 'breakdown',
      event: 'Product Viewed',
      group_by: ['properties.category'],
      ...range(day - 14 * DAY, day),
    }),
    question({ kind: 'breakdown', event: 'Product Viewed', group_by: ['properties.category'], ...range(day) }),
    question({
      kind: 'breakdown',
      event: 'Page Viewed',
      group_by: ['properties.country'],
      ...range(endMs - 2 * DAY, endMs),
    }),
    question({
      kind: 'timeseries',
      event: 'Order Completed',
      metric: { agg: 'sum', property: 'properties.revenue' },
      interval: '1d',
      ...range(day - 14 * DAY, day),
    }),
    question({
      kind: 'timeseries',
      event: 'Page Viewed',
      interval: '1h',
      filters: [{ property: 'properties.plan', op: 'eq', value: 'team' }],
      ...range(endMs - DAY, endMs),
    }),
  ]
}

function question(query) {
  const fromMs = Date.parse(query.from)
  const toMs = query.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.to)
  const property = query.metric?.property.slice('properties.'.length)
  const group = query.group_by?.[0]
  const width = WIDTH[query.interval]
  const backMs = query.compare === undefined ? 0 : toMs - fromMs
  const isIn = (event) =>
    event.timeMs >= fromMs - backMs &&
    event.timeMs < toMs &&
    (query.event === undefined || query.event === event.event) &&
    (query.filters ?? []).every(
      (filter) => event.properties[filter.property.slice('properties.'.length)] === filter.value,
    )
  const keyOf = (event) => {
    if (!isIn(event)) return undefined
    if (width !== undefined && event.timeMs < fromMs) return previous(bucketOf(event.timeMs + backMs, width))
    if (width !== undefined) return bucketOf(event.timeMs, width)
    return String(group === 'event' ? event.event : event.properties[group.slice('properties.'.length)])
  }
  return {
    query,
    isClosed: query.to !== undefined,
    /** A list that was cut at its limit says nothing of the groups that it leaves out. */
    isWhole: query.kind !== 'top' || query.limit > 50,
    keyOf,
    amountOf: (event) => (property === undefined ? 1 : event.properties[property]),
    valuesOf: (points) =>
      new Map(
        points.flatMap((point) => {
          const key = keyOfPoint(point.time, point.group, group)
          const earlier = backMs === 0 ? [] : [[previous(key), point.previous ?? 0]]
          return [[key, point.value ?? 0], ...earlier]
        }),
      ),
    sql: baseSql(query, { width, property, group, backMs }),
  }
}

function keyOfPoint(time, groups, group) {
  // A tampered answer may be one to another kind of question, whose points have neither.
  return time === undefined ? String(groups?.[group]) : String(Date.parse(time))
}

const bucketOf = (timeMs, width) => String(Math.floor(timeMs / width) * width)
/** The key of what a point says of the period before. */
const previous = (key) => `previous ${key}`

function baseSql({ event, from, to, filters = [] }, { width, property, group, backMs }) {
  const earlier = `case when "timestamp" < '${from}' then`
  const key =
    width !== undefined
      ? `${earlier} 'previous ' else '' end || (floor((extract(epoch from "timestamp") * 1000 + ${earlier} ${backMs} else 0 end) / ${width}) * ${width})::bigint::text`
      : group === 'event'
        ? 'event'
        : `properties->>'${group.slice('properties.'.length)}'`
  const value = property === undefined ? 'count(*)::float8' : `sum((properties->>'${property}')::float8)`
  const conditions = [
    `"timestamp" >= '${new Date(Date.parse(from) - backMs).toISOString()}'`,
    ...(to === undefined ? [] : [`"timestamp" < '${to}'`]),
    ...(event === undefined ? [] : [`event = '${event}'`]),
    ...filters.map((filter) => `properties->>'${filter.property.slice('properties.'.length)}' = '${filter.value}'`),
  ]
  return `select ${key} as key, ${value} as value from events where tenant_id = 1 and ${conditions.join(' and ')} group by 1`
}

function range(fromMs, toMs) {
  return { from: new Date(fromMs).toISOString(), ...(toMs !== undefined && { to: new Date(toMs).toISOString() }) }
}
