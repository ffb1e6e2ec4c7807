import { coreErrors } from '@millrace/contracts'

/** Tenant ids are `integer` columns in PostgreSQL. */
const TENANT_ID_MAX = 2 ** 31 - 1

/** The id of the tenant for which a gRPC call is made. @throws TENANT_MISSING when the metadata holds no valid id. */
export function tenantOf({ tenant }: { readonly tenant: string | undefined }): number {
  const id = Number(tenant)
  if (!Number.isInteger(id) || id < 1 || id > TENANT_ID_MAX) throw coreErrors.TENANT_MISSING()
  return id
}
