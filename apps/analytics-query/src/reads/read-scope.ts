import type { Transaction } from '@millrace/database'
import type { CostGuard } from '../admission/cost-guard.js'

/** What a query of a tenant reads with: `read` runs all of it in one read-only transaction of that tenant. */
export interface ReadScope {
  readonly tenantId: number
  /** Whether others read in the transaction of `read` too, so that none of them may end it. */
  readonly isShared?: boolean
  /** Asked before anything is read that may be too expensive. Default: nothing is. */
  readonly guard?: CostGuard | undefined
  readonly read: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}

/** Runs several readings in one transaction, so that all of them see the same state. */
export function readTogether<T>(
  { tenantId, guard, read }: ReadScope,
  fn: (scope: ReadScope) => Promise<T>,
): Promise<T> {
  return read((tx) => fn({ tenantId, isShared: true, guard, read: (inner) => inner(tx) }))
}
