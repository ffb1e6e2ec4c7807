import { createHash } from 'node:crypto'
import type { Queryable } from '@millrace/database'

/** An entry as it is stored. */
export interface StoredAuditEntry {
  readonly tenantId: number
  /** From 1, without gaps. */
  readonly seq: number
  /** JSON: at, action, resource, resource_id, old, new, result, code, actor, ip, user_agent. */
  readonly entry: string
  readonly hash: string
}

export interface AuditReport {
  readonly tenantId: number
  readonly entries: number
  /** `seq:hash` of the last entry: who notes it elsewhere can prove later that nothing up to it was changed. */
  readonly head: string
  /** A sentence for each fault; empty for a chain that is whole. */
  readonly problems: readonly string[]
}

const NO_HASH = Buffer.alloc(32)
const ROWS_PER_READ = 1000

/** The tenants that have audit entries. */
export async function auditTenants(database: Queryable): Promise<number[]> {
  const { rows } = await database.query<{ tenant_id: number }>(
    'select tenant_id from audit_chains union select distinct tenant_id from audit_entries order by 1',
  )
  return rows.map(({ tenant_id }) => tenant_id)
}

/** Entries after `afterSeq` in their order, at most 1,000. */
export async function readAudit(database: Queryable, tenantId: number, afterSeq = 0): Promise<StoredAuditEntry[]> {
  const { rows } = await database.query<{ seq: bigint; entry: string; hash: Buffer }>({
    text: `select seq, entry, hash from audit_entries where tenant_id = $1 and seq > $2 order by seq limit ${ROWS_PER_READ}`,
    values: [tenantId, afterSeq],
    mayRepeat: true,
  })
  return rows.map(({ seq, entry, hash }) => ({ tenantId, seq: Number(seq), entry, hash: hash.toString('hex') }))
}

/**
 * Computes the chain of a tenant again and compares it with the stored hashes and with the head. `known` is a head that was noted before, as
 * `seq:hash`: without it, entries at the end that were removed together with their head cannot be noticed.
 */
export async function verifyAudit(database: Queryable, tenantId: number, known?: string): Promise<AuditReport> {
  // First, so that entries that are appended meanwhile do not look like a fault.
  const head = await readHead(database, tenantId)
  const problems: string[] = []
  let previous: Buffer = NO_HASH
  let seq = 0
  const hashes = new Map<number, string>()
  for (
    let rows = await readAudit(database, tenantId);
    rows.length > 0;
    rows = await readAudit(database, tenantId, seq)
  ) {
    for (const row of rows) {
      if (row.seq !== seq + 1) problems.push(missing(seq + 1, row.seq - 1))
      const expected = row.seq === seq + 1 ? hashOf(previous, row) : undefined
      if (expected !== undefined && expected !== row.hash)
        problems.push(`entry ${row.seq} was changed, or the one before it: its hash is another one`)
      seq = row.seq
      // From the stored hash, so that one changed entry is one problem.
      previous = Buffer.from(row.hash, 'hex')
      hashes.set(seq, row.hash)
    }
  }
  if (seq < head.seq) problems.push(missing(seq + 1, head.seq))
  if (hashes.has(head.seq) && hashes.get(head.seq) !== head.hash)
    problems.push(`entry ${head.seq} is not the one that the head of the chain names`)
  if (seq > 0 && head.seq === 0) problems.push('the head of the chain is missing')
  if (known !== undefined) problems.push(...compareKnown(known, hashes))
  const last = Math.max(seq, head.seq)
  return { tenantId, entries: hashes.size, head: `${last}:${hashes.get(last) ?? head.hash}`, problems }
}

async function readHead(database: Queryable, tenantId: number): Promise<{ seq: number; hash: string }> {
  const { rows } = await database.query<{ seq: bigint; hash: Buffer }>(
    'select seq, hash from audit_chains where tenant_id = $1',
    [tenantId],
  )
  return { seq: Number(rows[0]?.seq ?? 0n), hash: (rows[0]?.hash ?? NO_HASH).toString('hex') }
}

function missing(from: number, to: number): string {
  return from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`
}

function compareKnown(known: string, hashes: ReadonlyMap<number, string>): string[] {
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(known) ?? []
  if (seq === undefined || hash === undefined) return [`the known head ${known} does not have the form seq:hash`]
  if (seq === '0' || hashes.get(Number(seq)) === hash) return []
  return [`entry ${seq} is missing or has another hash than the known head`]
}

function hashOf(previous: Buffer, { tenantId, seq, entry }: StoredAuditEntry): string {
  const place = Buffer.alloc(12)
  place.writeInt32BE(tenantId, 0)
  place.writeBigInt64BE(BigInt(seq), 4)
  return createHash('sha256').update(previous).update(place).update(entry).digest('hex')
}
