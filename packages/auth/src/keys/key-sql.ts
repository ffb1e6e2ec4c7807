import type { Queryable } from '@millrace/database'
import type { Principal, Scope, TenantLimits } from './principal.js'

/** A key as its owner may see it; the key itself is shown once, when it is made. */
export interface ApiKey {
  readonly id: string
  readonly tenantId: number
  readonly name: string
  readonly hint: string
  readonly scopes: readonly Scope[]
  readonly createdAt: Date
  readonly expiresAt: Date | undefined
  readonly revokedAt: Date | undefined
}

/** A valid key, and when it stops being one. */
export interface FoundKey {
  readonly principal: Principal
  readonly expiresAt: Date | undefined
}

interface KeyRow {
  id: bigint
  tenant_id: number
  name: string
  key_hint: string
  scopes: Scope[]
  created_at: Date
  expires_at: Date | null
  revoked_at: Date | null
}

const COLUMNS = 'id, tenant_id, name, key_hint, scopes, created_at, expires_at, revoked_at'
const IS_VALID = 'revoked_at is null and (expires_at is null or expires_at > now())'

/** By the unique index over key_hash. Revoked and expired keys are not found. */
export async function selectKeyByHash(database: Queryable, hash: Buffer): Promise<FoundKey | undefined> {
  const { rows } = await database.query<KeyRow & { tenant_name: string; limits: TenantLimits | null }>({
    name: 'find_key',
    text: `select k.id, k.tenant_id, k.scopes, k.expires_at, t.name as tenant_name, t.settings -> 'limits' as limits
             from api_keys k join tenants t on t.id = k.tenant_id where k.key_hash = $1 and ${IS_VALID}`,
    values: [hash],
  })
  const row = rows[0]
  if (!row) return undefined
  const principal = {
    keyId: String(row.id),
    tenantId: row.tenant_id,
    tenantName: row.tenant_name,
    scopes: row.scopes,
    limits: row.limits ?? {},
  }
  return { principal, expiresAt: row.expires_at ?? undefined }
}

export interface NewKey {
  readonly tenantId: number
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly hash: Buffer
  readonly hint: string
  readonly expiresAt?: Date | undefined
}

/** Undefined when the same key is stored already. Fails on the foreign key when there is no such tenant. */
export async function insertKey(database: Queryable, key: NewKey): Promise<ApiKey | undefined> {
  const { rows } = await database.query<KeyRow>(
    `insert into api_keys (tenant_id, name, key_hash, key_hint, scopes, expires_at) values ($1, $2, $3, $4, $5, $6)
     on conflict (key_hash) do nothing returning ${COLUMNS}`,
    [key.tenantId, key.name, key.hash, key.hint, key.scopes, key.expiresAt ?? null],
  )
  return rows[0] && toApiKey(rows[0])
}

/** Locks the row, so that two rotations of one key follow each other. */
export async function selectValidKeyForUpdate(
  database: Queryable,
  tenantId: number,
  id: string,
): Promise<ApiKey | undefined> {
  const { rows } = await database.query<KeyRow>(
    `select ${COLUMNS} from api_keys where tenant_id = $1 and id = $2 and ${IS_VALID} for update`,
    [tenantId, id],
  )
  return rows[0] && toApiKey(rows[0])
}

export async function countValidKeys(database: Queryable, tenantId: number, name: string): Promise<number> {
  const { rows } = await database.query<{ count: bigint }>(
    `select count(*) from api_keys where tenant_id = $1 and name = $2 and ${IS_VALID}`,
    [tenantId, name],
  )
  return Number(rows[0]?.count ?? 0)
}

/** Ids. Locks the rows, so that of two revocations at a time the second sees what the first left. */
export async function selectValidAdminKeysForUpdate(database: Queryable, tenantId: number): Promise<string[]> {
  const { rows } = await database.query<{ id: bigint }>(
    `select id from api_keys where tenant_id = $1 and 'admin' = any(scopes) and ${IS_VALID} order by id for update`,
    [tenantId],
  )
  return rows.map(({ id }) => String(id))
}

/** Brings the end of a key forward, never back. */
export async function updateKeyExpiry(database: Queryable, id: string, overlapMs: number): Promise<void> {
  await database.query(
    `update api_keys set expires_at = least(coalesce(expires_at, 'infinity'), now() + $2::float8 * interval '1 millisecond') where id = $1`,
    [id, overlapMs],
  )
}

/** Whether the tenant has such a key; revoking twice keeps the first time. */
export async function updateKeyRevoked(database: Queryable, tenantId: number, id: string): Promise<boolean> {
  const { rowCount } = await database.query(
    'update api_keys set revoked_at = coalesce(revoked_at, now()) where tenant_id = $1 and id = $2',
    [tenantId, id],
  )
  return rowCount > 0
}

/** Newest first, revoked and expired ones included. */
export async function selectKeys(database: Queryable, tenantId: number): Promise<ApiKey[]> {
  const { rows } = await database.query<KeyRow>(
    `select ${COLUMNS} from api_keys where tenant_id = $1 order by id desc limit 1000`,
    [tenantId],
  )
  return rows.map(toApiKey)
}

/** Undefined when there is a tenant of this name. */
export async function insertTenant(database: Queryable, name: string): Promise<number | undefined> {
  const { rows } = await database.query<{ id: number }>(
    'insert into tenants (name) values ($1) on conflict (name) do nothing returning id',
    [name],
  )
  return rows[0]?.id
}

export async function selectTenantId(database: Queryable, name: string): Promise<number | undefined> {
  const { rows } = await database.query<{ id: number }>('select id from tenants where name = $1', [name])
  return rows[0]?.id
}

function toApiKey(row: KeyRow): ApiKey {
  return {
    id: String(row.id),
    tenantId: row.tenant_id,
    name: row.name,
    hint: row.key_hint,
    scopes: row.scopes,
    createdAt: row.created_at,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
  }
}
