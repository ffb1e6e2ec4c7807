import type { Transaction } from '@millrace/database'
import type { AdmissionControl } from '../admission/admission-control.js'

/** What a query reads with. `read` runs a function in one read-only transaction of the tenant. */
export interface ReadScope {
  readonly tenantId: number
  /** Whether other readers share the transaction, so that this one must not end it. */
  readonly isShared?: boolean
  /** Asked before anything expensive is read. Default: everything is admitted. */
  readonly admission?: AdmissionControl | undefined
  readonly read: <T>(fn: (tx: Transaction) => Promise<T>) => Promise<T>
}

/** Runs several readers in one transaction, so that all of them see the same state of the database. */
export function readTogether<T>(
  { tenantId, admission, read }: ReadScope,
  fn: (scope: ReadScope) => Promise<T>,
): Promise<T> {
  return read((tx) => fn({ tenantId, isShared: true, admission, read: (inner) => inner(tx) }))
}
