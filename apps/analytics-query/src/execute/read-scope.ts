import type { Transaction } from '@millrace/database'

/** What a query of a tenant reads with: `read` runs all of it in one read-only transaction of that tenant. */
export interface ReadScope {
  readonly tenantId: number
  readonly read: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}
