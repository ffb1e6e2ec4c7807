import type { AuditOrigin } from '@millrace/audit'
import { authErrors } from '../errors.js'

/** What a caller confirms: `self`, that the request may end the key that it is sent with; `expiry`, that the remaining admin keys expire earlier. */
export const CONFIRMATIONS = ['self', 'expiry'] as const
export type Confirmation = (typeof CONFIRMATIONS)[number]

/** Who asks for the end of a key, and what the caller confirms. */
export interface KeyEndRequest {
  /** The key that the request is sent with; undefined for a person at the machine. */
  readonly callerId?: string | undefined
  readonly confirmed?: readonly Confirmation[] | undefined
  /** For the audit entry. Default: that of the key manager. */
  readonly origin?: AuditOrigin | undefined
}

/** A valid key with the scope admin. */
export interface AdminKey {
  readonly id: string
  readonly expiresAt: Date | undefined
}

/**
 * Keeps a tenant from locking itself out.
 * @throws authErrors.LAST_ADMIN_KEY when no admin key would be left; authErrors.ADMIN_KEYS_EXPIRE when those that are left expire before the revoked
 * one; authErrors.SELF_REVOCATION when the caller would lose its own key, because nobody may hold the others
 */
export function checkRevocation(id: string, admins: readonly AdminKey[], request: KeyEndRequest): void {
  const { confirmed = [] } = request
  const revoked = admins.find((one) => one.id === id)
  if (revoked !== undefined) {
    const rest = admins.filter((one) => one !== revoked)
    if (rest.length === 0) throw authErrors.LAST_ADMIN_KEY()
    const endMs = Math.max(...rest.map(toEndMs))
    if (endMs < toEndMs(revoked) && !confirmed.includes('expiry')) throw adminKeysExpire(endMs)
  }
  checkOwnKey(id, request)
}

/** @throws authErrors.SELF_REVOCATION when the caller would lose its own key without having confirmed it */
export function checkOwnKey(id: string, { callerId, confirmed = [] }: KeyEndRequest): void {
  if (id === callerId && !confirmed.includes('self')) throw authErrors.SELF_REVOCATION()
}

function toEndMs({ expiresAt }: AdminKey): number {
  return expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
}

function adminKeysExpire(endMs: number): Error {
  const end = new Date(endMs).toISOString()
  return authErrors.ADMIN_KEYS_EXPIRE({
    message: `the tenant's other admin keys expire by ${end}: create one that does not, or add confirm=expiry to the query string`,
    details: { expires_at: end },
  })
}
