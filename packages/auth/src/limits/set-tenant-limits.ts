import type { Queryable } from '@millrace/database'
import type { TenantLimits } from './tenant-limits.js'

/** Sets the tenant's own limits, or removes them. Gateways notice it within a second. */
export async function setTenantLimits(
  database: Queryable,
  tenantId: number,
  limits: Omit<TenantLimits, 'version'> | undefined,
): Promise<void> {
  await database.query(
    `update tenants set settings = case when $2::jsonb is null then settings - 'limits'
      else settings || jsonb_build_object('limits', $2::jsonb) end where id = $1`,
    [tenantId, limits === undefined ? null : JSON.stringify(limits)],
  )
}
