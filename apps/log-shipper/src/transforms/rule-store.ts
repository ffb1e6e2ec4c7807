import type { Database } from '@millrace/database'
import { transformErrors } from './compile-rules.js'

/** A version of the rules of a tenant. */
export interface StoredRules {
  /** From 1; 0 when the tenant never had rules. */
  readonly version: number
  /** JSON text. */
  readonly document: string
  readonly createdAt: Date | undefined
  /** Id of the API key that stored it. */
  readonly createdBy: string
}

/** A version without its rules. */
export type RulesVersion = Omit<StoredRules, 'document'>

export interface NewRules {
  readonly tenantId: number
  /** JSON text. */
  readonly document: string
  readonly createdBy: string
  /** The version that the new one replaces; undefined replaces any. */
  readonly expectedVersion: number | undefined
}

/** Versions of a tenant that are kept. */
const VERSIONS_KEPT = 20
const NO_RULES = '{"rules":[]}'

/** The rules of all tenants in PostgreSQL, for the API. */
export class RuleStore {
  readonly #database: Pick<Database, 'withTenant' | 'transaction'>

  constructor(database: Pick<Database, 'withTenant' | 'transaction'>) {
    this.#database = database
  }

  /** The given version, or the newest one for 0. Undefined when the version is not kept. */
  async read(tenantId: number, version: number): Promise<StoredRules | undefined> {
    const { rows } = await this.#database.withTenant(tenantId, (tx) =>
      tx.query<RulesRow & { readonly document: string }>(
        `select version, document, created_at, created_by from log_transforms
         where tenant_id = $1 and ($2 = 0 or version = $2) order by version desc limit 1`,
        [tenantId, version],
      ),
    )
    const [row] = rows
    if (row !== undefined) return { ...toVersion(row), document: row.document }
    return version === 0 ? { version: 0, document: NO_RULES, createdAt: undefined, createdBy: '' } : undefined
  }

  /** The versions that are kept, the newest one first. */
  async versions(tenantId: number): Promise<RulesVersion[]> {
    const { rows } = await this.#database.withTenant(tenantId, (tx) =>
      tx.query<RulesRow>(
        'select version, created_at, created_by from log_transforms where tenant_id = $1 order by version desc',
        [tenantId],
      ),
    )
    return rows.map(toVersion)
  }

  /**
   * Stores a version.
   * @throws TRANSFORMS_CHANGED when the newest version is not the expected one
   */
  async save({ tenantId, document, createdBy, expectedVersion }: NewRules): Promise<RulesVersion> {
    return await this.#database.transaction(async (tx) => {
      // One writer for each tenant at a time, so that versions have no gaps and nobody overwrites what they have not read.
      await tx.query('select from tenants where id = $1 for no key update', [tenantId])
      const { rows } = await tx.query<RulesRow>(
        `insert into log_transforms (tenant_id, version, document, created_by)
         select $1::integer, coalesce(max(version), 0) + 1, $2, $3 from log_transforms where tenant_id = $1
         having $4::integer is null or coalesce(max(version), 0) = $4
         returning version, created_at, created_by`,
        [tenantId, document, createdBy, expectedVersion ?? null],
      )
      const [row] = rows
      if (row === undefined)
        throw transformErrors.TRANSFORMS_CHANGED({
          message: `the newest version of the rules is not ${expectedVersion}; read them again`,
        })
      await tx.query('delete from log_transforms where tenant_id = $1 and version <= $2', [
        tenantId,
        row.version - VERSIONS_KEPT,
      ])
      return toVersion(row)
    })
  }
}

interface RulesRow {
  readonly version: number
  readonly created_at: Date
  readonly created_by: string
}

function toVersion({ version, created_at, created_by }: RulesRow): RulesVersion {
  return { version, createdAt: created_at, createdBy: created_by }
}
