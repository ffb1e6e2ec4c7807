import type { Connection } from '../connection.js'
import { type PlanNode, parsePlan } from '../plan/plan-node.js'
import { isExplainable } from '../plan/read-plan.js'

/**
 * The generic plan of a statement without values, as pg_stat_statements has it: the statement is prepared and explained, not run. Does on PostgreSQL 15 what
 * EXPLAIN (GENERIC_PLAN) does since 16. Undefined when the server cannot prepare it.
 */
export async function readGenericPlan(connection: Connection, query: string): Promise<PlanNode | undefined> {
  if (!isExplainable(query)) return undefined
  try {
    return await connection.transaction(async (tx) => {
      await tx.query('set local plan_cache_mode = force_generic_plan')
      // The values are given as null, which would prune every partition.
      await tx.query('set local enable_partition_pruning = off')
      await tx.query(`prepare millrace_advice${toPreparable(query)}`)
      const { rows } = await tx.query<{ parameters: number }>(
        `select cardinality(parameter_types) as parameters from pg_prepared_statements where name = 'millrace_advice'`,
      )
      const values = Array.from({ length: rows[0]?.parameters ?? 0 }, () => 'null').join(', ')
      const explained = await tx.query<{ 'QUERY PLAN': unknown }>(
        `explain (format json) execute millrace_advice${values === '' ? '' : `(${values})`}`,
      )
      return parsePlan(explained.rows[0]?.['QUERY PLAN'])
    })
  } catch {
    // Its text was cut, a parameter has no type, or a table is gone: there is no plan and no advice.
    return undefined
  } finally {
    await connection.query('deallocate all')
  }
}

/**
 * Where the grammar requires a literal, the $n of the normalised text cannot be parsed: `interval $1` becomes a cast, `extract($1 from …)` gets the field
 * epoch. A parameter that this removes gets a type, because the server cannot infer it.
 */
function toPreparable(query: string): string {
  const text = query
    .replace(/\b(interval|timestamptz|timestamp|date|time)\s+(\$\d+)/gi, '$2::$1')
    .replace(/\bextract\s*\(\s*\$\d+\s+from\b/gi, 'extract(epoch from')
  const numbersIn = (sql: string) => Array.from(sql.matchAll(/\$(\d+)/g), ([, number]) => Number(number))
  const left = new Set(numbersIn(text))
  const types = Array.from({ length: Math.max(0, ...numbersIn(query)) }, (_, index) =>
    left.has(index + 1) ? 'unknown' : 'text',
  )
  return `${types.length === 0 ? '' : ` (${types.join(', ')})`} as ${text}`
}
