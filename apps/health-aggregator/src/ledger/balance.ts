import type { Consumed, Produced } from './ledger-rows.js'

/** The ledger of one tenant. */
export interface Balance {
  readonly tenantId: number
  readonly accepted: number
  readonly rejected: number
  readonly stored: number
  readonly duplicate: number
  readonly deadLettered: number
  /** Accepted records that are not yet rejected, stored, dropped as duplicates or dead-lettered. */
  readonly inFlight: number
  /** Records in flight that are proved to be neither in the stream nor in a spool. */
  readonly lost: number
  /** True when nothing is lost and no count is negative. Records in flight are no imbalance. */
  readonly isBalanced: boolean
}

/**
 * One balance for each tenant, ordered by id. The greater of the producer's and the consumer's count is the number of accepted records: a producer
 * may die before it writes its count, and the consumer may not have read everything yet. `lost` comes from LedgerWatch.
 */
export function balanceTenants(
  produced: readonly Produced[],
  consumed: readonly Consumed[],
  lost: ReadonlyMap<number, number>,
): Balance[] {
  const tenants = new Map<number, Sums>()
  const sumsOf = (tenantId: number): Sums => {
    const sums = tenants.get(tenantId) ?? { accepted: 0, rejected: 0, stored: 0, duplicate: 0, deadLettered: 0 }
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
  return [...tenants]
    .sort(([a], [b]) => a - b)
    .map(([tenantId, sums]) => toBalance(tenantId, sums, lost.get(tenantId) ?? 0))
}

interface Sums {
  accepted: number
  rejected: number
  stored: number
  duplicate: number
  deadLettered: number
}

function toBalance(tenantId: number, sums: Sums, lost: number): Balance {
  const inFlight = sums.accepted - sums.rejected - sums.stored - sums.duplicate - sums.deadLettered
  const isNegative = [inFlight, ...Object.values(sums)].some((count) => count < 0)
  return { tenantId, ...sums, inFlight, lost, isBalanced: lost === 0 && !isNegative }
}
