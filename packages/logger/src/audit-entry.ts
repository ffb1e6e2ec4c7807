import type { Logger } from './logger.js'

/** Who did what to which resource. */
export interface AuditEntry {
  readonly action: 'CREATE' | 'UPDATE' | 'DELETE' | 'ACCESS'
  /** Kind of the resource, for example `api_key`. */
  readonly resource: string
  readonly resourceId: string
  readonly result: 'SUCCESS' | 'FAILURE' | 'DENIED'
  readonly oldValue?: unknown
  readonly newValue?: unknown
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
}

/** Something that may be an attack. */
export interface SecurityEntry {
  /** For example `failed_sign_in`, `rate_limit_exceeded`. */
  readonly event: string
  readonly result: 'SUCCESS' | 'FAILURE' | 'DENIED'
  readonly reason?: string | undefined
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
}

/** Writes an audit entry at once and at every level. The user comes from the context; secrets in the values are masked. */
export function logAudit(logger: Logger, entry: AuditEntry): void {
  logger.audit('an action on a resource', {
    action: entry.action,
    resource: entry.resource,
    resource_id: entry.resourceId,
    result: entry.result,
    old_value: entry.oldValue,
    new_value: entry.newValue,
    ip: entry.ip,
    user_agent: entry.userAgent,
  })
}

/** Writes a security entry at once and at every level. */
export function logSecurity(logger: Logger, entry: SecurityEntry): void {
  logger.security('a security event', {
    event: entry.event,
    result: entry.result,
    reason: entry.reason,
    ip: entry.ip,
    user_agent: entry.userAgent,
  })
}
