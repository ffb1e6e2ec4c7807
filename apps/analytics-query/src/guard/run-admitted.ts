import type { Answer, ParsedQuery } from '../kinds/query-kind.js'
import type { CostGuard } from './cost-guard.js'

/** Runs a query once the guard has let its rows through; cells pass it when they are planned. @throws QUERY_TOO_EXPENSIVE, and what `run` throws */
export async function runAdmitted(
  query: ParsedQuery,
  tenantId: number,
  guard: Pick<CostGuard, 'admitRows'> | undefined,
): Promise<Answer> {
  const estimate = guard?.admitRows(tenantId, query.demands)
  const answer = await query.run()
  const { plan } = answer.meta
  if (estimate === undefined || typeof plan !== 'object') return answer
  return { ...answer, meta: { ...answer.meta, plan: { ...plan, estimate } } }
}
