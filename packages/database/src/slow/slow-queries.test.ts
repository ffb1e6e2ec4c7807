import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger, runWithContext } from '@millrace/logger'
import { createTestDatabase, type TestDatabase, waitFor } from '@millrace/testing'
import { type Database, migrate, openDatabase } from '../index.js'

interface Line {
  message: string
  statements: string[]
  duration_ms: number
  rows: number
  plan?: string
}

describe('a slow query', () => {
  let test: TestDatabase
  let database: Database
  let text: string
  const logger = createLogger({ service: 'test', samplePerSecond: 0, write: (written) => (text += written) })

  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    text = ''
    database = openDatabase({ url: test.url, slowQueryMs: 0.001 }, { logger })
    await database.query(`create table account as
      select n as id, 'user' || n || '@example.com' as email, n % 100 as branch from generate_series(1, 5000) n`)
    await database.query('analyze account')
  })
  afterAll(async () => {
    await database.close()
    logger.close()
    await test.release()
  })

  /** Runs the statement until its line has a plan, since of all statements one plan a second is taken; each run is a statement of its own. */
  async function lineWithPlan(part: string, run: (nth: number) => Promise<unknown>): Promise<Line> {
    const linesOf = (nth: number) => {
      logger.flush()
      return text.split('\n').filter((line) => line.includes('slow query') && line.includes(`${part}_${nth} `))
    }
    let nth = 0
    let line: Line | undefined
    const isPlanned = async () => {
      const current = ++nth
      await run(current)
      await waitFor(() => linesOf(current).length > 0, { deadlineMs: 30_000 })
      line = JSON.parse(linesOf(current)[0] as string) as Line
      return line.plan !== undefined
    }
    await waitFor(isPlanned, { deadlineMs: 30_000 })
    return line as Line
  }

  it('is logged with its text, duration, rows, plan and the ids of its request, and without any value', async () => {
    const line = await lineWithPlan('found', (nth) =>
      runWithContext({ tenant: '42', traceId: 'abc123', requestId: `r${nth}` }, () =>
        database.query(
          `select count(*) as found_${nth} from account where email = $1 and branch <> 77 and id <> all ($2)`,
          ['ada@example.com', [4711, 4712]],
        ),
      ),
    )
    expect(line).toMatchObject({ level: 'warn', tenant: '42', trace_id: 'abc123', rows: 1 })
    expect(line.duration_ms).toBeGreaterThanOrEqual(0)
    expect(line.statements[0]).toMatch(/from account where email = \$1 and branch <> \? and id <> all \(\$2\)$/)
    expect(line.plan).toMatch(
      /^Aggregate rows=1 cost=\d+\n {2}Seq Scan on account filter .*email = \?.* rows=\d+ cost=\d+$/,
    )
    expect(JSON.stringify(line)).not.toMatch(/ada|example|\b77\b|4711/)
  })

  it('is explained with the role and tenant that ran it, under row level security', async () => {
    const line = await lineWithPlan('seen', (nth) =>
      database.withTenant(7, (tx) =>
        tx.query(`select count(*) as seen_${nth} from rollup_series where event = $1`, ['Paid']),
      ),
    )
    expect(line.plan).toMatch(/InitPlan|Result/)
    expect(line.plan).toMatch(/tenant_id = /)
  })

  it('is explained and not run again when it writes', async () => {
    const line = await lineWithPlan('added', (nth) =>
      database.query(
        `with a as (insert into account values ($1, 'x', 1) returning id as added_${nth} ) select * from a`,
        [0],
      ),
    )
    expect(line.plan).toMatch(/ModifyTable on account/)
    const { rows } = await database.query<{ n: number }>('select count(*)::int as n from account where id = 0')
    const runs = text.split('insert into account').length - 1
    expect(rows[0]?.n).toBe(runs)
  })
})
