import type { Database, Transaction } from '@millrace/database'

/** Runs `fn` for a tenant in one read-only transaction whose statements all see the same state of the database. */
export type Snapshot = <T>(tenantId: number, fn: (tx: Transaction) => Promise<T>) => Promise<T>

/** Snapshots of the replica, or of the primary when there is none. Row level security shows the tenant's rows alone. */
export function createSnapshot(database: Pick<Database, 'replica'>): Snapshot {
  return (tenantId, fn) => database.replica.withTenant(tenantId, fn, { isolation: 'repeatable read', readOnly: true })
}
