import type { Queryable } from '@millrace/database'
import type { Budget } from './suggest.js'

/** The limits of one tenant. */
export interface TenantLimits extends Budget {
  /** Queries that run at once. */
  readonly concurrency: number
}

interface Row {
  readonly id: number
  readonly settings: Readonly<Record<string, unknown>>
}

const SETTINGS = {
  query_budget_rows: 'rows',
  query_budget_partitions: 'partitions',
  query_budget_bytes: 'bytes',
  query_concurrency: 'concurrency',
} as const

/**
 * The limits that override the settings of this service, from tenants.settings: query_budget_rows,
 * query_budget_partitions, query_budget_bytes and query_concurrency. A value that is not a whole number above 0 is
 * ignored.
 * @throws databaseErrors
 */
export async function readTenantLimits(database: Queryable): Promise<Map<number, Partial<TenantLimits>>> {
  const { rows } = await database.query<Row>(`select id, settings from tenants where settings ?| $1::text[]`, [
    Object.keys(SETTINGS),
  ])
  return new Map(rows.map(({ id, settings }) => [id, toLimits(settings)]))
}

function toLimits(settings: Row['settings']): Partial<TenantLimits> {
  const entries = Object.entries(SETTINGS).flatMap(([name, limit]) => {
    const value = settings[name]
    return Number.isSafeInteger(value) && (value as number) > 0 ? [[limit, value]] : []
  })
  return Object.fromEntries(entries) as Partial<TenantLimits>
}
