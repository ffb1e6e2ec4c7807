import { appendAudit } from '@millrace/audit'
import type { Database } from '@millrace/database'
import { type Logger, silentLogger } from '@millrace/logger'
import { authErrors } from '../errors.js'
import { hashApiKey, hintOf } from './api-key.js'
import { insertKey, insertTenant, selectKeyByHash, selectTenantId } from './key-queries.js'
import type { Scope } from './principal.js'

/** The keys that `npm start` uses. They are public. */
export const DEVELOPMENT_KEYS = { write: 'mr_write_dev', admin: 'mr_admin_dev' } as const

export interface SeedKeysConfig {
  /** BOOTSTRAP_WRITE_KEY: scope write. */
  readonly writeKey?: string | undefined
  /** BOOTSTRAP_ADMIN_KEY: all scopes. */
  readonly adminKey?: string | undefined
  /** NODE_ENV=production. */
  readonly isProduction: boolean
}

export interface SeedKeysDeps {
  readonly database: Database
  readonly logger?: Logger | undefined
}

/**
 * Creates the tenant `default` and the given keys if they do not exist. Safe at each start and in several processes at once: existing keys stay as
 * they are, and a revoked key stays revoked, which is logged.
 * @throws authErrors.DEVELOPMENT_KEY in production, before anything is stored
 */
export async function seedKeys(config: SeedKeysConfig, deps: SeedKeysDeps): Promise<void> {
  const { database, logger = silentLogger } = deps
  const wanted: { setting: string; name: string; key: string | undefined; scopes: Scope[] }[] = [
    { setting: 'BOOTSTRAP_WRITE_KEY', name: 'bootstrap write', key: config.writeKey, scopes: ['write'] },
    {
      setting: 'BOOTSTRAP_ADMIN_KEY',
      name: 'bootstrap admin',
      key: config.adminKey,
      scopes: ['write', 'read', 'admin'],
    },
  ]
  const known: string[] = Object.values(DEVELOPMENT_KEYS)
  if (config.isProduction && wanted.some(({ key }) => key !== undefined && known.includes(key)))
    throw authErrors.DEVELOPMENT_KEY()
  await insertTenant(database, 'default')
  const tenantId = await selectTenantId(database, 'default')
  if (tenantId === undefined) throw authErrors.TENANT_NOT_FOUND()
  for (const { setting, name, key, scopes } of wanted) {
    if (!key) continue
    const created = await database.transaction(async (tx) => {
      const inserted = await insertKey(tx, { tenantId, name, scopes, hash: hashApiKey(key), hint: hintOf(key) })
      if (inserted !== undefined)
        await appendAudit(tx, {
          tenantId,
          action: 'CREATE',
          resource: 'api_key',
          resourceId: inserted.id,
          newValue: { name, scopes },
          result: 'SUCCESS',
          origin: { actor: `setting:${setting}` },
        })
      return inserted
    })
    if (created) logger.audit('api key seeded', { key_id: created.id, tenant_id: tenantId, name })
    else if ((await selectKeyByHash(database, hashApiKey(key))) === undefined)
      logger.warn(
        'a bootstrap key was revoked or has expired and stays so: set another key, or create one with the command tenants',
        {
          setting,
        },
      )
  }
}
