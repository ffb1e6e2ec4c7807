import { sanitiseSql } from '@millrace/logger'
import type { Database } from '../open-database.js'
import { adviseIndexes } from './advise-index.js'
import { readGenericPlan } from './generic-plan.js'
import type { Section } from './render-report.js'
import { readStatements, type StatementUse } from './statements.js'
import { readTableFacts } from './table-facts.js'

const LIMIT = 20

/** The statements that took the most time in all, and indexes that would make them cheaper. */
export async function reportSlow(database: Database): Promise<Section[]> {
  const statements = await readStatements(database, LIMIT)
  if (typeof statements === 'string') return [{ title: 'statements', note: statements, columns: {}, rows: [] }]
  return [
    {
      title: 'statements by total time',
      note: 'many pages per row: much is read for few rows; times are measured by the server',
      columns: {
        number: 'count',
        calls: 'count',
        total_ms: 'ms',
        share: 'percent',
        mean_ms: 'ms',
        max_ms: 'ms',
        rows_per_call: 'count',
        pages_per_row: 'count',
        hit_share: 'percent',
        statement: 'text',
      },
      rows: statements.map(({ query, ...figures }, index) => ({
        number: index + 1,
        ...figures,
        statement: sanitiseSql(query),
      })),
    },
    await adviceOf(database, statements),
  ]
}

async function adviceOf(database: Database, statements: readonly StatementUse[]): Promise<Section> {
  const tableOf = await readTableFacts(database)
  const connection = await database.connection({ statementTimeoutMs: 5_000 })
  const rows: Section['rows'][number][] = []
  try {
    for (const [index, { query }] of statements.entries()) {
      const plan = await readGenericPlan(connection, query)
      if (plan === undefined) continue
      for (const { table, columns, cost, cost_with_index } of adviseIndexes(plan, tableOf)) {
        rows.push({
          statement: index + 1,
          cost,
          cost_with_index,
          gain: cost / cost_with_index,
          index: `create index concurrently on ${table} (${columns.map((name) => `"${name}"`).join(', ')})`,
        })
      }
    }
  } finally {
    await connection.close()
  }
  return {
    title: 'indexes that would make these statements cheaper',
    note: 'estimated from statistics, without values; on a partitioned table create the index on each partition first',
    columns: { statement: 'count', cost: 'count', cost_with_index: 'count', gain: 'count', index: 'text' },
    rows: rows.sort((a, b) => Number(b.gain) - Number(a.gain)),
  }
}
