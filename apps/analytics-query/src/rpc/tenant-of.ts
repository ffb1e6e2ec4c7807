import { errors } from '../errors.js'

/** The tenant of a call. @throws TENANT_MISSING when the metadata names none. */
export function tenantOf(call: { readonly tenant: string | undefined }): number {
  const id = Number(call.tenant)
  if (!Number.isInteger(id) || id < 1 || id > 2_147_483_647) throw errors.TENANT_MISSING()
  return id
}
