import { type AuditOrigin, appendAudit } from '@millrace/audit'
import type { Database } from '@millrace/database'
import { lockHolds } from './cold-retention.js'

export interface NewHold {
  readonly tenantId: number
  readonly stream: string
  /** Records from this time on, ms since 1970; undefined: from the first one. */
  readonly fromMs?: number | undefined
  /** Records up to and including this time; undefined: also those to come. */
  readonly toMs?: number | undefined
  readonly reason: string
}

export interface LegalHold extends NewHold {
  readonly id: number
  readonly placedAt: Date
  readonly releasedAt: Date | undefined
}

/**
 * Forbids to delete what the hold covers, until it is released. When it resolves, no deletion of such data is under way. Data that was deleted before is
 * gone. Returns the id of the hold.
 */
export async function placeHold(database: Database, hold: NewHold, origin: AuditOrigin): Promise<number> {
  const { tenantId, stream, fromMs, toMs, reason } = hold
  return await database.transaction(async (tx) => {
    await lockHolds(tx, hold)
    const { rows } = await tx.query<{ id: bigint }>(
      'insert into archive_holds (tenant_id, stream, from_ms, to_ms, reason) values ($1, $2, $3, $4, $5) returning id',
      [tenantId, stream, fromMs ?? null, toMs ?? null, reason],
    )
    const id = Number(rows[0]?.id)
    await appendAudit(tx, {
      tenantId,
      action: 'CREATE',
      resource: 'legal_hold',
      resourceId: String(id),
      newValue: { stream, from_ms: fromMs, to_ms: toMs, reason },
      result: 'SUCCESS',
      origin,
    })
    return id
  })
}

/** Returns whether there was such a hold that was not released yet. */
export async function releaseHold(database: Database, id: number, origin: AuditOrigin): Promise<boolean> {
  return await database.transaction(async (tx) => {
    const { rows } = await tx.query<{ tenant_id: number; reason: string }>(
      'update archive_holds set released_at = now() where id = $1 and released_at is null returning tenant_id, reason',
      [id],
    )
    const [row] = rows
    if (row === undefined) return false
    await appendAudit(tx, {
      tenantId: row.tenant_id,
      action: 'DELETE',
      resource: 'legal_hold',
      resourceId: String(id),
      oldValue: { reason: row.reason },
      result: 'SUCCESS',
      origin,
    })
    return true
  })
}

/** All holds, released ones included, the newest first. */
export async function listHolds(database: Database): Promise<LegalHold[]> {
  const { rows } = await database.query<{
    id: bigint
    tenant_id: number
    stream: string
    from_ms: bigint | null
    to_ms: bigint | null
    reason: string
    placed_at: Date
    released_at: Date | null
  }>('select * from archive_holds order by id desc')
  return rows.map((row) => ({
    id: Number(row.id),
    tenantId: row.tenant_id,
    stream: row.stream,
    fromMs: row.from_ms === null ? undefined : Number(row.from_ms),
    toMs: row.to_ms === null ? undefined : Number(row.to_ms),
    reason: row.reason,
    placedAt: row.placed_at,
    releasedAt: row.released_at ?? undefined,
  }))
}

/** How long segments of a tenant are kept. */
export interface ArchiveRule {
  readonly tenantId: number
  readonly stream: string
  /** A level, or '' for all. */
  readonly label: string
  /** Undefined removes the rule. */
  readonly keptDays: number | undefined
}

/** Sets or removes a rule; it holds for what is archived already, too. */
export async function setRule(database: Database, rule: ArchiveRule, origin: AuditOrigin): Promise<void> {
  const { tenantId, stream, label, keptDays } = rule
  const key = [tenantId, stream, label]
  await database.transaction(async (tx) => {
    const { rows } = await tx.query<{ kept_days: number }>(
      'select kept_days from archive_rules where tenant_id = $1 and stream = $2 and label = $3 for update',
      key,
    )
    if (keptDays === undefined)
      await tx.query('delete from archive_rules where tenant_id = $1 and stream = $2 and label = $3', key)
    else
      await tx.query(
        `insert into archive_rules (tenant_id, stream, label, kept_days) values ($1, $2, $3, $4)
         on conflict (tenant_id, stream, label) do update set kept_days = excluded.kept_days, updated_at = now()`,
        [...key, keptDays],
      )
    await appendAudit(tx, {
      tenantId,
      action: keptDays === undefined ? 'DELETE' : 'UPDATE',
      resource: 'archive_rule',
      resourceId: `${stream}/${label}`,
      oldValue: rows[0] === undefined ? undefined : { kept_days: rows[0].kept_days },
      newValue: keptDays === undefined ? undefined : { kept_days: keptDays },
      result: 'SUCCESS',
      origin,
    })
  })
}

/** All rules, by tenant. */
export async function listRules(database: Database): Promise<ArchiveRule[]> {
  const { rows } = await database.query<{ tenant_id: number; stream: string; label: string; kept_days: number }>(
    'select tenant_id, stream, label, kept_days from archive_rules order by 1, 2, 3',
  )
  return rows.map(({ tenant_id, stream, label, kept_days }) => ({
    tenantId: tenant_id,
    stream,
    label,
    keptDays: kept_days,
  }))
}
