import type { Connection } from '../connection.js'
import { type PlanNode, parsePlan } from '../plan/plan-node.js'
import { isExplainable } from '../plan/read-plan.js'

/**
 * The plan of a statement whose values are not known, as pg_stat_statements has it: prepared, and explained as the plan that serves all values.
 * Nothing is run. EXPLAIN (GENERIC_PLAN) came with 16; this does the same on 15. Undefined where the server cannot prepare it.
 */
export async function readGenericPlan(connection: Connection, query: string): Promise<PlanNode | undefined> {
  if (!isExplainable(query)) return undefined
  try {
    return await connection.transaction(async (tx) => {
      await tx.query('set local plan_cache_mode = force_generic_plan')
      // With the nulls that stand for the values, every partition would be left out.
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
    // Its text was cut, its parameters have no type, or it uses something that is gone: no plan, and no advice.
    return undefined
  } finally {
    await connection.query('deallocate all')
  }
}

/**
 * Where the grammar wants a literal, the $n that it was normalised to cannot be parsed: interval $1 gets a cast instead of the type in front,
 * extract($1 from …) takes the field epoch. A parameter that is then no longer there is given a type, since nobody could tell it.
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
