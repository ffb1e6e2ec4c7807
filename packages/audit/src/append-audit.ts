import type { Queryable, Statement } from '@millrace/database'
import { type AuditEntry, auditErrors } from './audit-entry.js'

const ENTRY_BYTES_MAX = 64 * 1024

/**
 * The statement that appends an entry. Run it in the transaction of the change: then neither exists without the other. Writers of one tenant take turns
 * from here to the end of their transactions, so it should be the last statement.
 * @throws AUDIT_ENTRY_TOO_LARGE
 */
export function auditStatement(entry: AuditEntry, at = new Date()): Statement {
  const { tenantId, action, resource, resourceId, oldValue, newValue, result, code, origin } = entry
  const json = JSON.stringify({
    at: at.toISOString(),
    action,
    resource,
    resource_id: resourceId,
    old: oldValue,
    new: newValue,
    result,
    code,
    actor: origin.actor,
    ip: origin.ip,
    user_agent: origin.userAgent,
  })
  if (Buffer.byteLength(json) > ENTRY_BYTES_MAX) throw auditErrors.AUDIT_ENTRY_TOO_LARGE()
  return { name: 'audit-append', text: 'select millrace_audit($1::integer, $2::text)', values: [tenantId, json] }
}

/** Appends an entry, see `auditStatement`. */
export async function appendAudit(transaction: Queryable, entry: AuditEntry): Promise<void> {
  await transaction.query(auditStatement(entry))
}
