import { type AuditOrigin, appendAudit } from '@millrace/audit'
import type { Database } from '@millrace/database'
import type { TenantLimits } from './tenant-limits.js'

/** Sets the tenant's own limits, or removes them, and writes an audit entry. Gateways notice it within a second. */
export async function setTenantLimits(
  database: Pick<Database, 'transaction'>,
  {
    tenantId,
    limits,
    origin,
  }: {
    readonly tenantId: number
    readonly limits: Omit<TenantLimits, 'version'> | undefined
    readonly origin: AuditOrigin
  },
): Promise<void> {
  await database.transaction(async (tx) => {
    const { rows } = await tx.query<{ old: unknown }>(
      `select settings -> 'limits' as old from tenants where id = $1 for update`,
      [tenantId],
    )
    await tx.query(
      `update tenants set settings = case when $2::jsonb is null then settings - 'limits'
        else settings || jsonb_build_object('limits', $2::jsonb) end where id = $1`,
      [tenantId, limits === undefined ? null : JSON.stringify(limits)],
    )
    await appendAudit(tx, {
      tenantId,
      action: 'UPDATE',
      resource: 'tenant_limits',
      resourceId: String(tenantId),
      oldValue: rows[0]?.old ?? undefined,
      newValue: limits,
      result: 'SUCCESS',
      origin,
    })
  })
}
