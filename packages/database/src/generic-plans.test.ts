import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import {
  type Database,
  DayPartitions,
  dayPartitionName,
  dropDayPartitionsBefore,
  explainSteps,
  migrate,
  openDatabase,
  type Statement,
} from './index.js'
import { describePlan } from './plan/describe-plan.js'
import { parsePlan } from './plan/plan-node.js'

const DAY = 86_400_000
const FIRST_DAY = Date.UTC(2026, 10, 1)
const DAYS = 5
const TENANT = 7

/** Days of a user's events, newest first; `note` makes another text of it. */
function daysOf(userHash: number, { fromDay = 0, toDay = DAYS, limit = 100, note = '' } = {}): Statement {
  const at = (day: number) => new Date(FIRST_DAY + day * DAY).toISOString()
  return {
    text: `select to_char("timestamp" at time zone 'UTC', 'DD') as day from events${note}
      where user_hash = $1::bigint and "timestamp" >= $2::timestamptz and "timestamp" < $3::timestamptz order by "timestamp" desc limit $4::integer`,
    values: [userHash, at(fromDay), at(toDay), limit],
    plan: 'generic',
  }
}

describe('a statement with a generic plan', () => {
  let test: TestDatabase
  let database: Database

  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    const owner = openDatabase({ url: test.url })
    await new DayPartitions(owner).ensure('events', FIRST_DAY, FIRST_DAY + DAYS * DAY - 1)
    for (let day = 0; day < DAYS; day++) await owner.query(insertEvents(day))
    await owner.close()
  })
  afterAll(() => test.release())
  beforeEach(() => {
    database = openDatabase({ url: test.url, connectionLimit: 1 })
  })
  afterEach(() => database.close())

  /** One event of each of 200 users of two tenants. */
  function insertEvents(day: number): string {
    return `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
      select u, u, timestamptz '${new Date(FIRST_DAY + day * DAY).toISOString()}' + u * interval '1 second', now(), t, 0, 0, '', ''
      from generate_series(1, 200) u, generate_series(${TENANT}, ${TENANT + 1}) t`
  }

  const read = (statement: Statement) =>
    database.withTenant(TENANT, async (tx) => (await tx.query<{ day: string }>(statement)).rows.map(({ day }) => day))

  interface Kept {
    statement: string
    generic_plans: bigint
    custom_plans: bigint
  }

  const genericPlans = async () =>
    (
      await database.query<Kept>(
        `select statement, generic_plans, custom_plans from pg_prepared_statements where name like 'generic_plan_%' order by prepare_time`,
      )
    ).rows

  it('is planned once for each connection and returns the right rows for all values', async () => {
    expect(await read(daysOf(3))).toEqual(['05', '04', '03', '02', '01'])
    expect(await read(daysOf(4, { fromDay: 1, toDay: 3 }))).toEqual(['03', '02'])
    expect(await read(daysOf(5, { limit: 1 }))).toEqual(['05'])
    expect(await read(daysOf(0))).toEqual([])
    expect(await genericPlans()).toEqual([{ statement: daysOf(0).text, generic_plans: 4n, custom_plans: 0n }])
  })

  it('reads only partitions inside its range', async () => {
    await read(daysOf(3))
    const plan = await planOf(daysOf(3, { fromDay: 1, toDay: 3 }))
    expect(plan).toContain('events_20261103')
    expect(plan).toMatch(/and 1 partitions more/)
    expect(plan).not.toContain('Sort')
  })

  it('sees partitions that were added after it was planned, and no longer those that were dropped', async () => {
    const days = new DayPartitions(database)
    const note = ' /* days come and go */'
    expect(await read(daysOf(3, { toDay: 30, note }))).toHaveLength(DAYS)
    await days.ensure('events', FIRST_DAY + DAYS * DAY, FIRST_DAY + DAYS * DAY)
    await database.query(insertEvents(DAYS))
    expect(await read(daysOf(3, { toDay: 30, note, limit: 1 }))).toEqual(['06'])
    await dropDayPartitionsBefore(database, 'events', FIRST_DAY + DAY)
    expect((await read(daysOf(3, { toDay: 30, note }))).at(-1)).toBe('02')
  })

  it('reads a day of several segments in order and without sorting', async () => {
    const day = FIRST_DAY + 9 * DAY
    const name = dayPartitionName('events', day)
    await database.query(`create table ${name} (like events including all) partition by list (segment)`)
    for (const segment of [0, 1])
      await database.query(`create table ${name}_s${segment} partition of ${name} for values in (${segment})`)
    const bounds = [day, day + DAY].map((ms) => `'${new Date(ms).toISOString()}'`)
    await database.query(`alter table events attach partition ${name} for values from (${bounds[0]}) to (${bounds[1]})`)
    await database.query(`insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, segment, type, message_id, event)
      select n, n % 100, timestamptz ${bounds[0]} + n * interval '1 second', now(), ${TENANT}, 0, n / 100 % 2, 0, '', '' from generate_series(0, 9999) n`)
    await database.query('analyze events')
    const newest: Statement = {
      text: 'select position from events where user_hash = $1::bigint and "timestamp" < $2::timestamptz order by "timestamp" desc limit $3::integer',
      values: [3, new Date(day + DAY).toISOString(), 3],
      plan: 'generic',
    }
    const { rows } = await database.withTenant(TENANT, (tx) => tx.query<{ position: bigint }>(newest))
    expect(rows.map(({ position }) => position)).toEqual([9903n, 9803n, 9703n])
    expect(await planOf(newest)).not.toContain('Sort')
  })

  it('uses an index for a day that was empty when the statement was planned', async () => {
    const next = FIRST_DAY + 20 * DAY
    await new DayPartitions(database).ensure('events', next, next)
    await database.query('vacuum analyze events')
    const plan = await planOf(daysOf(3, { fromDay: 20, toDay: 21 }))
    expect(plan).toMatch(/Index (Only )?Scan on events_20261121/)
    expect(plan).not.toContain('Seq Scan')
  })

  it('returns rows of the current tenant only, also when the tenant changes between calls', async () => {
    const count: Statement = {
      text: 'select count(*) as n from events where user_hash = $1::bigint',
      values: [150],
      plan: 'generic',
    }
    const countOf = (tenantId: number) =>
      database.withTenant(tenantId, async (tx) => (await tx.query<{ n: bigint }>(count)).rows[0]?.n)
    expect(await countOf(TENANT)).toBeGreaterThan(0n)
    expect(await countOf(TENANT + 2)).toBe(0n)
    expect(await countOf(TENANT)).toBe(await countOf(TENANT + 1))
  })

  it('does not change how other statements are planned, in the same round trip and later, even when it fails', async () => {
    const settings = {
      text: `select name, setting from pg_settings where name in
        ('plan_cache_mode', 'enable_seqscan', 'enable_sort', 'max_parallel_workers_per_gather', 'jit') order by name`,
    }
    const { rows } = await database.query(settings)
    expect(rows).toHaveLength(5)
    await database.transaction(async (tx) => {
      await tx.query('set local max_parallel_workers_per_gather = 3')
      const usual = { rows: (await tx.query(settings)).rows }
      const [before, kept, after] = await tx.pipeline([settings, daysOf(3), settings])
      expect([before, after]).toMatchObject([usual, usual])
      expect(kept?.rowCount).toBeGreaterThan(0)
      expect(await tx.query(settings)).toMatchObject(usual)
      const broken = tx.savepoint(() => tx.query({ ...daysOf(3), values: [3, 'no instant', null, 1] }))
      await expect(broken).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
      expect(await tx.query(settings)).toMatchObject(usual)
      expect((await tx.query(daysOf(3))).rowCount).toBeGreaterThan(0)
    })
    expect((await database.query(daysOf(3))).rowCount).toBeGreaterThan(0)
    expect(await database.query(settings)).toMatchObject({ rows })
  })

  it('loses its plan when ten others were used after it', async () => {
    const texts = Array.from({ length: 14 }, (_, index) => daysOf(3, { note: ` /* ${index} */` }))
    for (const statement of texts.slice(0, 10)) await read(statement)
    await read(texts[0] as Statement)
    await database.withTenant(TENANT, (tx) => tx.pipeline(texts.slice(10)))
    const kept = (await genericPlans()).map(({ statement }) => /\/\* (\d+)/.exec(statement)?.[1])
    expect(kept).toEqual(['0', '5', '6', '7', '8', '9', '10', '11', '12', '13'])
    expect(await read(texts[1] as Statement)).toEqual(await read(texts[0] as Statement))
    expect(await genericPlans()).toHaveLength(10)
  })

  async function planOf(statement: Statement): Promise<string> {
    const results = await database.withTenant(TENANT, (tx) => tx.pipeline(explainSteps(statement)))
    const plan = parsePlan(results.flatMap(({ rows }) => rows).find((row) => 'QUERY PLAN' in row)?.['QUERY PLAN'])
    return plan === undefined ? '' : describePlan(plan)
  }
})
