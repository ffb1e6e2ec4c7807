import type { Statement } from './statement.js'

/** May read the rows of the tenant in `millrace.tenant_id` and nothing else; see migrations/0001_tenant_isolation.sql. */
export const READER_ROLE = 'millrace_reader'

/** Both last until the end of the transaction, so a pooled connection forgets them. */
export function tenantPreamble(tenantId: number): Statement[] {
  return [
    {
      text: `select set_config('role', $1, true), set_config('millrace.tenant_id', $2, true)`,
      values: [READER_ROLE, String(tenantId)],
      name: 'enter_tenant',
    },
  ]
}
