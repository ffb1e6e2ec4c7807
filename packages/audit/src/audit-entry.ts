import { defineErrors } from '@millrace/contracts'

/** Errors of audit entries. */
export const auditErrors = defineErrors({
  AUDIT_ENTRY_TOO_LARGE: ['invalid', 'an audit entry has more than 64 KiB'],
})

/** Who did something, and from where. */
export interface AuditOrigin {
  /** `key:12` for an API key, `command:tenants` for a person at the machine, `service:log-shipper` for a service. */
  readonly actor: string
  readonly ip?: string | undefined
  readonly userAgent?: string | undefined
}

/** One thing that was done, or that was tried. It must hold no secret: keys appear by their ids. */
export interface AuditEntry {
  readonly tenantId: number
  readonly action: 'CREATE' | 'UPDATE' | 'DELETE' | 'ACCESS'
  /** What kind of thing: `api_key`, `tenant`, `tenant_limits`, `legal_hold`. */
  readonly resource: string
  readonly resourceId: string
  /** JSON values of what was changed. */
  readonly oldValue?: unknown
  readonly newValue?: unknown
  readonly result: 'SUCCESS' | 'FAILURE' | 'DENIED'
  /** Why it failed or was denied: an error code. */
  readonly code?: string | undefined
  readonly origin: AuditOrigin
}
