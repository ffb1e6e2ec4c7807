import { type AuditEntry, type AuditOrigin, appendAudit } from '@millrace/audit'
import { HOUR_MS, isMillraceError, KIND_TRAITS, MINUTE_MS } from '@millrace/contracts'
import { type Database, isDataError, type Transaction } from '@millrace/database'
import { type Logger, silentLogger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import { authErrors } from '../errors.js'
import { generateApiKey, hashApiKey, hintOf } from './api-key.js'
import { checkOwnKey, checkRevocation, type KeyEndRequest } from './check-revocation.js'
import { announceKey } from './key-channel.js'
import {
  type ApiKey,
  countValidKeys,
  hasValidKey,
  insertKey,
  insertTenant,
  selectKeys,
  selectTenantId,
  selectValidAdminKeysForUpdate,
  selectValidKeyForUpdate,
  updateKeyExpiry,
  updateKeyRevoked,
} from './key-queries.js'
import { SCOPES, type Scope } from './principal.js'

export interface KeyManagerDeps {
  readonly database: Database
  /** Without it other processes notice a revocation only when their cache entry ends. */
  readonly redis?: RedisConnection | undefined
  readonly logger?: Logger | undefined
  /** Who changes keys, for audit entries of requests without an origin of their own, such as `command:tenants`. */
  readonly actor: string
}

export interface CreateKeyRequest {
  readonly tenantId: number
  readonly name: string
  /** At least one. */
  readonly scopes: readonly Scope[]
  readonly expiresAt?: Date | undefined
  /** For the audit entry. Default: that of the key manager. */
  readonly origin?: AuditOrigin | undefined
}

/** `key` is returned only here and is stored nowhere. */
export type CreatedKey = ApiKey & { readonly key: string }

export interface RotateRequest extends KeyEndRequest {
  /** How long the old key stays valid, in ms. Default 24 hours. */
  readonly overlapMs?: number | undefined
}

const DEFAULT_OVERLAP_MS = 24 * HOUR_MS
/** A caller whose own key ends sooner than this may be locked out when the response with its successor is lost, so it has to confirm. */
const OWN_OVERLAP_MS_MIN = MINUTE_MS

/**
 * Creates, rotates, revokes and lists API keys. Each change has an audit entry, written in the same transaction; so has a change that was refused. Changes
 * are logged and announced to all key verifiers.
 */
export class KeyManager {
  readonly #database: Database
  readonly #redis: RedisConnection | undefined
  readonly #logger: Logger
  readonly #origin: AuditOrigin

  constructor(deps: KeyManagerDeps) {
    this.#database = deps.database
    this.#redis = deps.redis
    this.#logger = deps.logger ?? silentLogger
    this.#origin = { actor: deps.actor }
  }

  /** Returns the id of the new tenant. @throws authErrors.TENANT_EXISTS */
  async createTenant(name: string): Promise<number> {
    const id = await this.#database.transaction(async (transaction) => {
      const created = await insertTenant(transaction, name)
      if (created === undefined) throw authErrors.TENANT_EXISTS({ details: { name } })
      const what = { tenantId: created, action: 'CREATE', resource: 'tenant', resourceId: String(created) } as const
      await appendAudit(transaction, { ...what, newValue: { name }, result: 'SUCCESS', origin: this.#origin })
      return created
    })
    this.#logger.audit('tenant created', { tenant_id: id, name })
    return id
  }

  findTenant(name: string): Promise<number | undefined> {
    return selectTenantId(this.#database, name)
  }

  /** @throws authErrors.TENANT_NOT_FOUND */
  async create(request: CreateKeyRequest): Promise<CreatedKey> {
    const created = await this.#database.transaction(async (transaction) => {
      const inserted = await this.#insert(transaction, request)
      await appendAudit(transaction, this.#created(inserted, request.origin))
      return inserted
    })
    await this.#changed('api key created', created)
    return created
  }

  /**
   * Creates a successor with the same name and scopes. The old key stays valid for the overlap, but not beyond its own end, so that clients can
   * switch. At most two keys with the same name are valid at a time.
   * @throws authErrors.KEY_NOT_FOUND; authErrors.KEY_ROTATING while the predecessor's predecessor is still valid; authErrors.SELF_REVOCATION when
   * the caller's own key would end within a minute
   */
  async rotate(tenantId: number, id: string, request: RotateRequest = {}): Promise<CreatedKey> {
    const { overlapMs = DEFAULT_OVERLAP_MS } = request
    const attempt = this.#attempt({ tenantId, action: 'UPDATE', resourceId: id }, request.origin)
    const successor = await this.#audited(attempt, async (transaction) => {
      if (overlapMs < OWN_OVERLAP_MS_MIN) checkOwnKey(id, request)
      const old = isId(id) ? await selectValidKeyForUpdate(transaction, tenantId, id) : undefined
      if (!old) throw authErrors.KEY_NOT_FOUND()
      if ((await countValidKeys(transaction, tenantId, old.name)) > 1) throw authErrors.KEY_ROTATING()
      await updateKeyExpiry(transaction, id, overlapMs)
      const created = await this.#insert(transaction, { ...old, expiresAt: renewed(old) })
      await appendAudit(transaction, {
        ...attempt,
        newValue: { successor: created.id, overlap_ms: overlapMs },
        result: 'SUCCESS',
      })
      return created
    })
    await this.#changed('api key rotated', successor, { predecessor: id })
    await announceKey(this.#redis, id, this.#logger)
    return successor
  }

  /**
   * Takes effect at once in every process, or within 30 s in processes that cannot reach Redis. Revoking a key twice is no error.
   * @throws authErrors.KEY_NOT_FOUND, and the errors of `checkRevocation` when the tenant or the caller might be locked out
   */
  async revoke(tenantId: number, id: string, request: KeyEndRequest = {}): Promise<void> {
    const attempt = this.#attempt({ tenantId, action: 'DELETE', resourceId: id }, request.origin)
    await this.#audited(attempt, async (transaction) => {
      if (!isId(id)) throw authErrors.KEY_NOT_FOUND()
      checkRevocation(id, await selectValidAdminKeysForUpdate(transaction, tenantId), request)
      if (!(await updateKeyRevoked(transaction, tenantId, id))) throw authErrors.KEY_NOT_FOUND()
      await appendAudit(transaction, { ...attempt, result: 'SUCCESS' })
    })
    await this.#changed('api key revoked', { id, tenantId })
  }

  /** Whether the tenant has this key and it is neither revoked nor expired. */
  async isValid(tenantId: number, id: string): Promise<boolean> {
    return isId(id) && (await hasValidKey(this.#database, tenantId, id))
  }

  /** Newest first, including revoked and expired keys. */
  list(tenantId: number): Promise<ApiKey[]> {
    return selectKeys(this.#database, tenantId)
  }

  #attempt(what: Pick<AuditEntry, 'tenantId' | 'action' | 'resourceId'>, origin = this.#origin) {
    return { ...what, resourceId: what.resourceId.slice(0, 100), resource: 'api_key', origin }
  }

  #created({ id, tenantId, name, scopes, hint, expiresAt }: ApiKey, origin = this.#origin): AuditEntry {
    const what = { tenantId, action: 'CREATE', resource: 'api_key', resourceId: id } as const
    return { ...what, newValue: { name, scopes, hint, expires_at: expiresAt }, result: 'SUCCESS', origin }
  }

  /** Runs a change in a transaction; a change that is refused has an entry of its own. */
  async #audited<T>(attempt: Omit<AuditEntry, 'result'>, work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.#database.transaction(work)
    } catch (error) {
      if (isMillraceError(error) && error.code in authErrors && !KIND_TRAITS[error.kind].retryable)
        await appendAudit(this.#database, { ...attempt, result: 'DENIED', code: error.code })
      throw error
    }
  }

  async #insert(
    database: Pick<Database, 'query'>,
    { tenantId, name, scopes, expiresAt }: CreateKeyRequest,
  ): Promise<CreatedKey> {
    const key = generateApiKey()
    try {
      const created = await insertKey(database, {
        tenantId,
        name,
        scopes: ordered(scopes),
        hash: hashApiKey(key),
        hint: hintOf(key),
        expiresAt,
      })
      if (!created) throw authErrors.KEY_INVALID({ message: 'the random key exists already' })
      return { ...created, key }
    } catch (error) {
      const isForeignKey = isDataError(error) && isMillraceError(error) && error.details?.sqlState === '23503'
      throw isForeignKey ? authErrors.TENANT_NOT_FOUND({ cause: error }) : error
    }
  }

  async #changed(
    message: string,
    { id, tenantId }: { id: string; tenantId: number },
    more: Record<string, unknown> = {},
  ): Promise<void> {
    this.#logger.audit(message, { key_id: id, tenant_id: tenantId, ...more })
    await announceKey(this.#redis, id, this.#logger)
  }
}

/** The successor of a key with an end is valid for as long as that key was. */
function renewed({ createdAt, expiresAt }: ApiKey): Date | undefined {
  return expiresAt && new Date(Date.now() + expiresAt.getTime() - createdAt.getTime())
}

function ordered(scopes: readonly Scope[]): Scope[] {
  return SCOPES.filter((scope) => scopes.includes(scope))
}

/** PostgreSQL would reject any other text as an invalid number. */
function isId(id: string): boolean {
  return /^[1-9]\d{0,17}$/.test(id)
}
