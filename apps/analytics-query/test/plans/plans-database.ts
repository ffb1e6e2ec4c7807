import { type Database, DayPartitions } from '@millrace/database'

const DAY = 86_400_000

/** The instant that the shapes are asked at; partitions are full up to it and beyond. */
export const NOW = Date.UTC(2026, 10, 20, 12)
const FIRST_DAY = Date.UTC(2026, 10, 17)
const DAYS = 4
const ROWS_A_DAY = 12_000

/**
 * Four days of 12,000 events each, their rollups, and statistics that saw every row: so the planner's choice is the same at each run and on each
 * machine, and large enough that an index pays.
 */
export async function fillDatabase(database: Database, tenantId: number): Promise<void> {
  const days = new DayPartitions(database)
  await days.ensure('events', FIRST_DAY, FIRST_DAY + DAYS * DAY - 1)
  await days.ensure('rollups_1m', FIRST_DAY, FIRST_DAY + DAYS * DAY - 1)
  await database.query(insertEvents(tenantId))
  await database.query(insertLogins(tenantId))
  await database.query(insertSessions(tenantId))
  await database.query(insertActivities(tenantId))
  await insertRollups(database, tenantId)
  await insertPackedDays(database, tenantId)
  await insertStreamState(database)
  await analyse(database)
}

const first = `timestamptz '${new Date(FIRST_DAY).toISOString()}'`

/** In the order of time, as they arrive; 3,000 users, 20 names. */
function insertEvents(tenantId: number): string {
  const rows = DAYS * ROWS_A_DAY
  return `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id, properties)
    select n / 16, hashtextextended('user-' || n % 3000, 0), ${first} + n * interval '${DAYS} days' / ${rows}, now(), ${tenantId}, n % 16, 0,
      'm-' || n, 'Event ' || n % 20, 'user-' || n % 3000, jsonb_build_object('plan', n % 3, 'price', n % 1000, 'carrier', 'C' || n % 12)
    from generate_series(0, ${rows - 1}) n`
}

/** A login every minute. */
function insertLogins(tenantId: number): string {
  const rows = DAYS * 1440
  return `insert into login_events (tenant_id, message_id, user_id, "timestamp", method, success, device_type, browser, os)
    select ${tenantId}, 'l-' || n, 'user-' || n % 3000, ${first} + n * interval '1 minute', (array['password', 'sso'])[1 + n % 2], n % 10 > 0,
      (array['phone', 'desktop'])[1 + n % 2], 'Browser ' || n % 5, 'System ' || n % 4
    from generate_series(0, ${rows - 1}) n`
}

/** As many as there are events; every hundredth goes on. */
function insertSessions(tenantId: number): string {
  const rows = DAYS * ROWS_A_DAY
  return `insert into user_sessions (tenant_id, session_id, user_id, started_at, last_seen_at, ended_at, device_type, browser, os)
    select ${tenantId}, 's-' || n, 'user-' || n % 3000, at, at, case when n % 100 > 0 then at end, (array['phone', 'desktop'])[1 + n % 2],
      'Browser ' || n % 5, 'System ' || n % 4
    from generate_series(0, ${rows - 1}) n, lateral (select ${first} + n * interval '${DAYS} days' / ${rows} as at) t`
}

function insertActivities(tenantId: number): string {
  const rows = DAYS * ROWS_A_DAY
  return `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id)
    select ${tenantId}, 'a-' || n, 'user-' || n % 3000, ${first} + n * interval '${DAYS} days' / ${rows}, (array['viewed', 'changed', 'deleted'])[1 + n % 3],
      (array['order', 'invoice'])[1 + n % 2], 'e-' || n % 4000
    from generate_series(0, ${rows - 1}) n`
}

async function insertRollups(database: Database, tenantId: number): Promise<void> {
  await database.query(`insert into rollup_definitions (event, dimensions, property, active_from)
    values ('Event 1', '{properties.carrier}', null, 'epoch'), ('Event 1', '{properties.carrier}', 'properties.price', 'epoch')`)
  await database.query(`insert into rollup_series (tenant_id, event, dimensions, dimension_values, property)
    select ${tenantId} + n / 50, 'Event ' || n, '{}'::text[], '{}'::text[], null from generate_series(0, 4999) n
    union all select ${tenantId}, '*', '{}', '{}', null
    union all select ${tenantId}, 'Event 1', '{properties.carrier}', array['C' || n], property
      from generate_series(0, 11) n, unnest(array[null, 'properties.price']) property`)
  const series = `(select id from rollup_series where dimensions <> '{}' or event in ('*', 'Event 1', 'Event 2', 'Event 3')) s`
  await database.query(`insert into rollups_1m (window_start, tenant_id, series_id, partition, count, sum, sum_error, min, max)
    select w, ${tenantId}, s.id, s.id % 16, 3, 30, 0, 1, 20 from ${windows(DAYS, '10 minutes')}, ${series}`)
  for (const [table, days, step] of [
    ['rollups_5m', 10, '10 minutes'],
    ['rollups_1h', 45, '1 hour'],
    ['rollups_1d', 400, '1 day'],
  ] as const) {
    await database.query(`insert into ${table} (window_start, tenant_id, series_id, count, sum, sum_error, min, max)
      select w, ${tenantId}, s.id, 3, 30, 0, 1, 20 from ${windows(days, step)}, ${series}`)
  }
  // Of somebody else, so that there is something to search among.
  await database.query(`insert into rollup_dirty (level_seconds, tenant_id, window_start)
    select 300, ${tenantId} + 1, w from ${windows(10, '5 minutes')}`)
}

/** Starts of windows up to the end of the last day. */
function windows(days: number, step: string): string {
  const end = `timestamptz '${new Date(FIRST_DAY + DAYS * DAY).toISOString()}'`
  return `generate_series(${end} - interval '${days} days', ${end} - interval '${step}', interval '${step}') w`
}

/** Days before those of the events and the first of those, so that every question over days reads rows as well. */
async function insertPackedDays(database: Database, tenantId: number): Promise<void> {
  const before = `generate_series(0, 300) n`
  const day = `date '${new Date(FIRST_DAY).toISOString().slice(0, 10)}' - n`
  await database.query(`insert into journey_days (day, as_of_xid) select ${day}, '3' from ${before}`)
  await database.query(`insert into journey_marks (tenant_id, day, event, as_of_xid, marks)
    select ${tenantId}, ${day}, 'Event ' || e, '3', '' from ${before}, generate_series(0, 19) e`)
  await database.query(`insert into window_versions (tenant_id, event, day, version, changed_xid)
    select ${tenantId}, 'Event ' || e, ${day}, 1, '2' from ${before}, generate_series(0, 9) e`)
  await database.query(`insert into journey_cuts (tenant_id, event, cut, from_day)
    select ${tenantId}, 'Event ' || e, '{"grain":"event","parts":[{"value":"properties.p' || p || '"}]}', date '2026-01-01'
      from generate_series(0, 9) e, generate_series(0, 8) p
    union all select ${tenantId}, 'Event ' || e, '{"grain":"event","parts":[{"value":"properties.plan"}]}', date '2026-01-01' from generate_series(0, 9) e`)
  await database.query(`insert into journey_cut_marks (cut_id, tenant_id, day, as_of_xid, parts, marks)
    select c.id, ${tenantId}, ${day}, '3', '[[[0], 1, 0], [[1], 1, 0], [[2], 1, 0]]', '' from ${before}, journey_cuts c`)
}

/** Everything is rolled up but the last five minutes before NOW, which are read from raw rows. */
async function insertStreamState(database: Database): Promise<void> {
  const now = `timestamptz '${new Date(NOW).toISOString()}'`
  await database.query(`insert into stream_partitions
      (group_name, stream, partition, next_ordinal, flushed_ordinal, unflushed_from, unflushed_to, watermark, flushed_watermark)
    select 'events-store', 'events', n, 1000, 900, ${now} - interval '5 minutes', ${now}, ${now}, ${now} - interval '5 minutes'
    from generate_series(0, 15) n`)
}

/** Autovacuum might do it at any time; so it is done before anything is planned. */
async function analyse(database: Database): Promise<void> {
  const { rows } = await database.query<{ name: string }>(
    `select c.relname as name from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace`,
  )
  const connection = await database.connection({ statementTimeoutMs: 0 })
  // So many that every row is in the sample.
  await connection.query('set default_statistics_target = 1000')
  await connection.query(`vacuum (analyze) ${rows.map(({ name }) => name).join(', ')}`)
  await connection.close()
}
