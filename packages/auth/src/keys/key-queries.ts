import { and, apiKeys, desc, drizzleOn, eq, gt, isNull, or, type Queryable, sql, tenants } from '@millrace/database'
import { parseTenantLimits } from '../limits/tenant-limits.js'
import type { AdminKey } from './check-revocation.js'
import type { Principal, Scope } from './principal.js'

/** A key as its owner sees it, without the key itself. */
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

/** A valid key and its end. */
export interface FoundKey {
  readonly principal: Principal
  readonly expiresAt: Date | undefined
}

const KEY = {
  id: apiKeys.id,
  tenantId: apiKeys.tenantId,
  name: apiKeys.name,
  hint: apiKeys.keyHint,
  scopes: apiKeys.scopes,
  createdAt: apiKeys.createdAt,
  expiresAt: apiKeys.expiresAt,
  revokedAt: apiKeys.revokedAt,
}
type KeyRow = {
  readonly [Column in keyof typeof KEY]: (typeof apiKeys.$inferSelect)[Column extends 'hint' ? 'keyHint' : Column]
}

const isValid = and(isNull(apiKeys.revokedAt), or(isNull(apiKeys.expiresAt), gt(apiKeys.expiresAt, sql`now()`)))

/** Reads a valid key through the unique index on key_hash; revoked and expired keys are not found. */
export async function selectKeyByHash(database: Queryable, hash: Buffer): Promise<FoundKey | undefined> {
  const [row] = await keyByHash(database).execute({ hash })
  if (row === undefined) return undefined
  const principal = {
    keyId: String(row.id),
    tenantId: row.tenantId,
    tenantName: row.tenantName,
    scopes: row.scopes,
    limits: parseTenantLimits(row.limits, row.settingsVersion),
  }
  return { principal, expiresAt: row.expiresAt ?? undefined }
}

const preparedKeyByHash = new WeakMap<Queryable, ReturnType<typeof prepareKeyByHash>>()

/** Prepared once for each database, because each key in use is looked up again every 30 s. */
function keyByHash(database: Queryable): ReturnType<typeof prepareKeyByHash> {
  let prepared = preparedKeyByHash.get(database)
  if (prepared === undefined) {
    prepared = prepareKeyByHash(database)
    preparedKeyByHash.set(database, prepared)
  }
  return prepared
}

function prepareKeyByHash(database: Queryable) {
  const { id, tenantId, scopes, expiresAt } = KEY
  const limits = sql<unknown>`${tenants.settings} -> 'limits'`
  const { name: tenantName, settingsVersion } = tenants
  return drizzleOn(database)
    .select({ id, tenantId, scopes, expiresAt, tenantName, limits, settingsVersion })
    .from(apiKeys)
    .innerJoin(tenants, eq(tenants.id, apiKeys.tenantId))
    .where(and(eq(apiKeys.keyHash, sql.placeholder('hash')), isValid))
    .prepare('find_key')
}

/** A key to store: its hash, never the key itself. */
export interface NewKey {
  readonly tenantId: number
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly hash: Buffer
  readonly hint: string
  readonly expiresAt?: Date | undefined
}

/** Returns undefined when the same key exists already. Violates the foreign key when the tenant does not exist. */
export async function insertKey(database: Queryable, key: NewKey): Promise<ApiKey | undefined> {
  const { tenantId, name, hash: keyHash, hint: keyHint, scopes, expiresAt = null } = key
  const [row] = await drizzleOn(database)
    .insert(apiKeys)
    .values({ tenantId, name, keyHash, keyHint, scopes: [...scopes], expiresAt })
    .onConflictDoNothing({ target: apiKeys.keyHash })
    .returning(KEY)
  return row && toApiKey(row)
}

/** Locks the row until the end of the transaction, so that two rotations of one key follow each other. */
export async function selectValidKeyForUpdate(
  transaction: Queryable,
  tenantId: number,
  id: string,
): Promise<ApiKey | undefined> {
  const [row] = await drizzleOn(transaction)
    .select(KEY)
    .from(apiKeys)
    .where(and(isKey(tenantId, id), isValid))
    .for('update')
  return row && toApiKey(row)
}

/** Whether the tenant has a key with this id that is neither revoked nor expired. */
export async function hasValidKey(database: Queryable, tenantId: number, id: string): Promise<boolean> {
  return (await drizzleOn(database).$count(apiKeys, and(isKey(tenantId, id), isValid))) > 0
}

/** Number of the tenant's keys with this name that are neither revoked nor expired. */
export async function countValidKeys(database: Queryable, tenantId: number, name: string): Promise<number> {
  return await drizzleOn(database).$count(apiKeys, and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.name, name), isValid))
}

/** Locks the rows until the end of the transaction, so that of two revocations at once the second sees what the first left. */
export async function selectValidAdminKeysForUpdate(transaction: Queryable, tenantId: number): Promise<AdminKey[]> {
  const rows = await drizzleOn(transaction)
    .select({ id: apiKeys.id, expiresAt: apiKeys.expiresAt })
    .from(apiKeys)
    .where(and(eq(apiKeys.tenantId, tenantId), sql`'admin' = any(${apiKeys.scopes})`, isValid))
    .orderBy(apiKeys.id)
    .for('update')
  return rows.map(({ id, expiresAt }) => ({ id: String(id), expiresAt: expiresAt ?? undefined }))
}

/** Brings the end of a key forward; never delays it. */
export async function updateKeyExpiry(database: Queryable, id: string, overlapMs: number): Promise<void> {
  const end = sql`now() + ${overlapMs}::float8 * interval '1 millisecond'`
  await drizzleOn(database)
    .update(apiKeys)
    .set({ expiresAt: sql`least(coalesce(${apiKeys.expiresAt}, 'infinity'), ${end})` })
    .where(eq(apiKeys.id, BigInt(id)))
}

/** Returns whether the tenant has this key. A second revocation keeps the time of the first. */
export async function updateKeyRevoked(database: Queryable, tenantId: number, id: string): Promise<boolean> {
  const revoked = await drizzleOn(database)
    .update(apiKeys)
    .set({ revokedAt: sql`coalesce(${apiKeys.revokedAt}, now())` })
    .where(isKey(tenantId, id))
    .returning({ id: apiKeys.id })
  return revoked.length > 0
}

/** Newest first, revoked and expired ones included; 1,000 at most. */
export async function selectKeys(database: Queryable, tenantId: number): Promise<ApiKey[]> {
  const rows = await drizzleOn(database)
    .select(KEY)
    .from(apiKeys)
    .where(eq(apiKeys.tenantId, tenantId))
    .orderBy(desc(apiKeys.id))
    .limit(1000)
  return rows.map(toApiKey)
}

/** Undefined when there is a tenant of this name. */
export async function insertTenant(database: Queryable, name: string): Promise<number | undefined> {
  const [tenant] = await drizzleOn(database)
    .insert(tenants)
    .values({ name })
    .onConflictDoNothing({ target: tenants.name })
    .returning({ id: tenants.id })
  return tenant?.id
}

/** Undefined when there is no tenant of this name. */
export async function selectTenantId(database: Queryable, name: string): Promise<number | undefined> {
  const [tenant] = await drizzleOn(database).select({ id: tenants.id }).from(tenants).where(eq(tenants.name, name))
  return tenant?.id
}

function isKey(tenantId: number, id: string) {
  return and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.id, BigInt(id)))
}

function toApiKey({ id, expiresAt, revokedAt, ...row }: KeyRow): ApiKey {
  return { ...row, id: String(id), expiresAt: expiresAt ?? undefined, revokedAt: revokedAt ?? undefined }
}
