import pg from 'pg'
import { hasGenericPlan, USE_GENERIC_PLANS } from '../generic-plans.js'
import { prepareValue } from '../pg-internals.js'
import type { Statement } from '../statement.js'

/**
 * What asks for the plan that a statement is run by, for its values and without running it: one step answers with a row `QUERY PLAN`, as JSON. For a
 * transaction that is over afterwards.
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
