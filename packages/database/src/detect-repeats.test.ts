import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger, runWithContext } from '@millrace/logger'
import { createTestDatabase, type TestDatabase, takeRepeats } from '@millrace/testing'
import { type Database, type DatabaseConfig, type DatabaseDeps, openDatabase } from './index.js'

const PRICES = `select price from item where id = $1`

/** Reads one row for each id: N+1. */
async function pricesOneByOne(database: Database, ids: readonly number[]): Promise<number[]> {
  const prices: number[] = []
  for (const id of ids) {
    const { rows } = await database.query<{ price: number }>(PRICES, [id])
    prices.push(...rows.map(({ price }) => price))
  }
  return prices
}

describe('a statement that one request runs again and again', () => {
  const ids = Array.from({ length: 20 }, (_, index) => index)
  let test: TestDatabase
  let requests = 0
  beforeAll(async () => {
    test = await createTestDatabase()
    await using({}, {}, (database) =>
      database.query('create table item as select n as id, n * 10 as price from generate_series(0, 19) n'),
    )
  })
  afterAll(() => test.release())

  async function using<T>(
    config: Partial<DatabaseConfig>,
    deps: DatabaseDeps,
    work: (database: Database) => Promise<T>,
  ): Promise<T> {
    const database = openDatabase({ url: test.url, slowQueryMs: 3_600_000, ...config }, deps)
    try {
      return await work(database)
    } finally {
      await database.close()
    }
  }

  const inRequest = <T>(work: () => Promise<T>) => runWithContext({ requestId: `request-${++requests}` }, work)

  it('fails in a service under test, with an error that names the statement and the count', async () => {
    const running = using({ environment: 'test' }, {}, (database) => inRequest(() => pricesOneByOne(database, ids)))
    await expect(running).rejects.toMatchObject({
      code: 'DATABASE_STATEMENT_ERROR',
      message: expect.stringMatching(/run 11 times in one request.*select price from item where id = \$1/),
    })
  })

  it('is logged once in development, with the place of its first run and without values', async () => {
    const lines: string[] = []
    const logger = createLogger({ service: 'test', write: (text) => lines.push(text) })
    const prices = await using({ environment: 'development' }, { logger }, (database) =>
      inRequest(() => pricesOneByOne(database, ids)),
    )
    logger.close()
    expect(prices).toHaveLength(20)
    expect(lines.join('').trim().split('\n')).toHaveLength(1)
    const line = JSON.parse(lines.join('')) as { level: string; statement: string; count: number; first_call: string }
    expect(line).toMatchObject({ level: 'warn', statement: 'select price from item where id = $1', count: 11 })
    expect(line.first_call).toMatch(/pricesOneByOne/)
  })

  it('is not counted in production', async () => {
    await using({ environment: 'production' }, {}, (database) => inRequest(() => pricesOneByOne(database, ids)))
    expect(takeRepeats()).toEqual([])
  })

  it('fails the Jest test that runs it on a database without an environment', async () => {
    await using({}, {}, (database) => inRequest(() => pricesOneByOne(database, ids)))
    expect(takeRepeats()).toEqual([expect.stringMatching(/^11 times in one request: select price/)])
  })

  it('is detected also when its values are part of its text, and inside a transaction', async () => {
    await using({}, {}, (database) =>
      inRequest(() =>
        database.transaction(async (tx) => {
          for (const id of ids) await tx.query(`select price from item where id = ${id}`)
        }),
      ),
    )
    expect(takeRepeats()).toEqual([expect.stringMatching(/select price from item where id = \?/)])
  })

  it.each<[string, (database: Database) => Promise<unknown>]>([
    ['read once for all', (database) => database.query(`select price from item where id = any ($1)`, [ids])],
    [
      'pipelined',
      (database) => database.transaction((tx) => tx.pipeline(ids.map((id) => ({ text: PRICES, values: [id] })))),
    ],
    [
      'said to repeat as the steps of a walk do',
      async (database) => {
        for (const id of ids) await database.query({ text: PRICES, values: [id], mayRepeat: true })
      },
    ],
    [
      'of different tenants, whose transactions all begin alike',
      async (database) => {
        for (const id of ids) await database.withTenant(id, (tx) => tx.query(`select 1 as of_tenant_${id}`))
      },
    ],
  ])('does not count as repeated when it is %s', async (_title, read) => {
    await using({}, {}, (database) => inRequest(() => read(database)))
    expect(takeRepeats()).toEqual([])
  })

  it('does not count as repeated when many requests run it once, or a background task runs it often', async () => {
    await using({}, {}, async (database) => {
      for (const id of ids) await inRequest(() => pricesOneByOne(database, [id]))
      await pricesOneByOne(database, ids)
    })
    expect(takeRepeats()).toEqual([])
  })
})
