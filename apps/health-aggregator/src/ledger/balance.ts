import type { Counts } from './ledger-rows.js'

/** The ledger of one tenant. */
export interface Balance {
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  readonly stored: number
  /** The part of `stored` whose rows retention has deleted. */
  readonly expired: number
  readonly duplicate: number
  readonly deadLettered: number
  /** Accepted records that are not yet rejected, stored, dropped as duplicates or dead-lettered. */
  readonly inFlight: number
  /** Records in flight that are proved to be neither in the stream nor in a spool. */
  readonly lost: number
  /** True when nothing is lost, no count is negative and no more is expired than was stored. Records in flight are no imbalance. */
  readonly isBalanced: boolean
}

/**
 * One balance for each tenant, ordered by id. The greater of the producer's and the consumer's count is the number of accepted records: a producer
 * may die before it writes its count, and the consumer may not have read everything yet. `lost` comes from LedgerWatch.
 */
export function balanceTenants({ produced, consumed, expired }: Counts, lost: ReadonlyMap<number, number>): Balance[] {
  const tenants = new Map<number, Sums>()
  const sumsOf = (tenantId: number): Sums => {
    const sums = tenants.get(tenantId) ?? emptySums()
    tenants.set(tenantId, sums)
    return sums
  }
  const key = (row: { producer: string; tenantId: number }) => `${row.producer} ${row.tenantId}`
  const consumedByKey = new Map(consumed.map((row) => [key(row), row]))
  for (const row of produced) {
    const seen = consumedByKey.get(key(row))
    const sums = sumsOf(row.tenantId)
    sums.accepted += Math.max(row.accepted, seen?.accepted ?? 0)
    sums.rejected += Math.max(row.rejected, seen?.rejected ?? 0)
  }
  const producedKeys = new Set(produced.map(key))
  for (const row of consumed) {
    const sums = sumsOf(row.tenantId)
    sums.stored += row.stored
    sums.duplicate += row.duplicate
    sums.deadLettered += row.deadLettered
    if (producedKeys.has(key(row))) continue
    sums.accepted += row.accepted
    sums.rejected += row.rejected
  }
  for (const { tenantId, records } of expired) sumsOf(tenantId).expired += records
  return [...tenants]
    .sort(([a], [b]) => a - b)
    .map(([tenantId, sums]) => toBalance(tenantId, sums, lost.get(tenantId) ?? 0))
}

interface Sums {
  accepted: number
  rejected: number
  stored: number
  expired: number
  duplicate: number
  deadLettered: number
}

function emptySums(): Sums {
  return { accepted: 0, rejected: 0, stored: 0, expired: 0, duplicate: 0, deadLettered: 0 }
}

/** The balance of a tenant that has sent nothing. */
export function emptyBalance(tenantId: number): Balance {
  return toBalance(tenantId, emptySums(), 0)
}

function toBalance(tenantId: number, sums: Sums, lost: number): Balance {
  const inFlight = sums.accepted - sums.rejected - sums.stored - sums.duplicate - sums.deadLettered
  const isNegative = [inFlight, sums.stored - sums.expired, ...Object.values(sums)].some((count) => count < 0)
  return { tenantId, ...sums, inFlight, lost, isBalanced: lost === 0 && !isNegative }
}
