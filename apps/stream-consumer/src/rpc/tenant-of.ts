import { coreErrors } from '@millrace/contracts'
import type { CallContext } from '@millrace/service'

/** The tenant that a call is made for. @throws UNAUTHENTICATED when it names none. */
export function tenantOf({ tenant }: CallContext): number {
  const id = Number(tenant)
  if (tenant === undefined || !Number.isSafeInteger(id))
    throw coreErrors.UNAUTHENTICATED({ message: 'the call names no tenant' })
  return id
}
