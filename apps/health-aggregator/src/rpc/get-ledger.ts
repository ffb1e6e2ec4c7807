import type { LedgerEntry } from '@millrace/contracts'
import type { Database, Queryable } from '@millrace/database'
import { type CallContext, tenantOf } from '@millrace/service'
import { type Balance, balanceTenants, emptyBalance } from '../ledger/balance.js'
import type { Counts } from '../ledger/ledger-rows.js'
import { readCounts } from '../ledger/read-ledger.js'

/** In place of a tenant id in a call's metadata: the ledgers of all tenants, for administrators. Callers decide who is an administrator. */
const EVERY_TENANT = '*'

export interface GetLedgerDeps {
  readonly database: Database
}

/** A stream with a ledger. */
export interface LedgerOfStream {
  readonly stream: string
  /** Lost records by tenant id. */
  readonly lost: () => ReadonlyMap<number, number>
}

/** The ledgers of the caller's tenant, or of every tenant for `*`, stream by stream. Both sides are read in one snapshot. */
export function createGetLedger(streams: readonly LedgerOfStream[], { database }: GetLedgerDeps) {
  return async function getLedger(_request: object, call: CallContext): Promise<{ streams: LedgerEntry[] }> {
    const tenantId = call.tenant === EVERY_TENANT ? null : tenantOf(call)
    const { counts, names } = await database.transaction(
      async (tx) => ({
        counts: await readAllCounts(tx, streams, tenantId),
        names: (await tx.query<{ id: number; name: string }>(TENANTS, [tenantId])).rows,
      }),
      { isolation: 'repeatable read', readOnly: true },
    )
    return {
      streams: streams.flatMap(({ stream, lost }, index) => {
        const balances = new Map(
          balanceTenants(counts[index] as Counts, lost()).map((balance) => [balance.tenantId, balance]),
        )
        // A tenant that has sent nothing has an empty ledger, which balances.
        return names.map(({ id, name }) => toEntry(stream, name, balances.get(id) ?? emptyBalance(id)))
      }),
    }
  }
}

async function readAllCounts(
  tx: Queryable,
  streams: readonly LedgerOfStream[],
  tenantId: number | null,
): Promise<Counts[]> {
  const counts: Counts[] = []
  for (const { stream } of streams) counts.push(await readCounts(tx, stream, tenantId))
  return counts
}

const TENANTS = 'select id, name from tenants where $1::integer is null or id = $1 order by id'

/** The counts are unsigned in protobuf: a negative one becomes 0, and `balanced` is false. */
function toEntry(stream: string, tenant: string, balance: Balance): LedgerEntry {
  const count = (value: number) => BigInt(Math.max(0, value))
  return {
    stream,
    tenant,
    accepted: count(balance.accepted),
    stored: count(balance.stored),
    expired: count(balance.expired),
    duplicate: count(balance.duplicate),
    rejected: count(balance.rejected),
    deadLettered: count(balance.deadLettered),
    inFlight: count(balance.inFlight),
    lost: count(balance.lost),
    balanced: balance.isBalanced,
  }
}
