import { authErrors } from '../errors.js'
import type { TenantLimits } from '../limits/tenant-limits.js'

export const SCOPES = ['write', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** The caller: one key of one tenant. */
export interface Principal {
  readonly keyId: string
  readonly tenantId: number
  readonly tenantName: string
  readonly scopes: readonly Scope[]
  readonly limits: TenantLimits
}

/** Whether the key has the scope; `admin` includes all scopes. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) || principal.scopes.includes('admin')
}

/** @throws authErrors.SCOPE_MISSING */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!hasScope(principal, scope)) throw authErrors.SCOPE_MISSING({ details: { scope } })
}
