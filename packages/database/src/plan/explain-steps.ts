import pg from 'pg'
import { hasGenericPlan, USE_GENERIC_PLANS } from '../generic-plans.js'
import { prepareValue } from '../pg-internals.js'
import type { Statement } from '../statement.js'

/**
 * Statements that return the plan of a statement for its values, without running it: one of them returns a row `QUERY PLAN` as JSON. They need a transaction
 * of their own, because they change planner settings.
 */
export function explainSteps(statement: Statement): Statement[] {
  const { text, values = [] } = statement
  if (!hasGenericPlan(statement)) return [{ text: `explain (format json) ${text}`, values }]
  // Values of EXPLAIN EXECUTE cannot be parameters.
  const literals = values.map(literal).join(', ')
  return [
    USE_GENERIC_PLANS,
    { text: `prepare millrace_explained as ${text}` },
    { text: `explain (format json) execute millrace_explained${literals === '' ? '' : `(${literals})`}` },
    { text: 'deallocate millrace_explained' },
  ]
}

function literal(value: unknown): string {
  const prepared = prepareValue(value)
  if (prepared === null) return 'null'
  return pg.escapeLiteral(typeof prepared === 'string' ? prepared : `\\x${prepared.toString('hex')}`)
}
