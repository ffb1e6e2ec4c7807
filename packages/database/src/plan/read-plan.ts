import pg from 'pg'
import type { Statement } from '../statement.js'
import { explainSteps } from './explain-steps.js'
import { type PlanNode, parsePlan } from './plan-node.js'

/** Limits for reading a plan. Planning is quick; when it is not, the server is busy and must not get more work. */
const STATEMENT_TIMEOUT_MS = 1_000
const LOCK_TIMEOUT_MS = 100
const CLIENT_TIMEOUT_MS = 3_000

const EXPLAINABLE = /^\s*(select|with|insert|update|delete|merge)\b/i

/** Whether EXPLAIN accepts the statement. */
export function isExplainable(text: string): boolean {
  return EXPLAINABLE.test(text)
}

/**
 * Reads the plan of a statement with its values, by EXPLAIN without ANALYZE: the statement is not run. Uses a connection of its own, so that no caller waits
 * for it. `setting` is sent first, because role and tenant change the plan.
 * @throws pg's errors
 */
export async function readPlan(
  config: pg.ClientConfig,
  statement: Statement,
  setting: readonly Statement[],
): Promise<PlanNode | undefined> {
  const client = new pg.Client({
    ...config,
    application_name: `${config.application_name ?? 'millrace'} plans`,
    connectionTimeoutMillis: CLIENT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    query_timeout: CLIENT_TIMEOUT_MS,
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('begin read only')
    for (const { text, values } of setting) await client.query(text, [...(values ?? [])])
    for (const { text, values } of explainSteps(statement)) {
      const { rows } = await client.query<{ 'QUERY PLAN'?: unknown }>(text, [...(values ?? [])])
      const plan = rows[0]?.['QUERY PLAN']
      if (plan !== undefined) return parsePlan(plan)
    }
    return undefined
  } finally {
    await client.end().catch(() => undefined)
  }
}
