export { appendAudit, auditStatement } from './append-audit.js'
export { type AuditEntry, type AuditOrigin, auditErrors } from './audit-entry.js'
export { type AuditReport, auditTenants, readAudit, type StoredAuditEntry, verifyAudit } from './verify-audit.js'
