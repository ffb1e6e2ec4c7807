import { authErrors } from '../errors.js'

export const SCOPES = ['write', 'read', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** What one tenant may send, from `limits` in its settings; what is absent there follows the service's defaults. */
export interface TenantLimits {
  readonly ratePerSecond?: number | undefined
  readonly burst?: number | undefined
}

/** Who is calling: one key of one tenant. */
export interface Principal {
  readonly keyId: string
  readonly tenantId: number
  readonly tenantName: string
  readonly scopes: readonly Scope[]
  readonly limits: TenantLimits
}

/** Whether the key may; `admin` may everything. */
export function hasScope(principal: Principal, scope: Scope): boolean {
  return principal.scopes.includes(scope) || principal.scopes.includes('admin')
}

/** @throws authErrors.SCOPE_MISSING */
export function requireScope(principal: Principal, scope: Scope): void {
  if (!hasScope(principal, scope)) throw authErrors.SCOPE_MISSING({ details: { scope } })
}
