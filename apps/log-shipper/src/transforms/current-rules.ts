import type { Database } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { type CompiledRules, compileRules, transformErrors } from './compile-rules.js'

export interface CurrentRulesDeps {
  /** The primary: a replica may lag behind. */
  readonly database: Pick<Database, 'query'>
  readonly logger: Logger
}

interface Known {
  readonly version: number
  /** Undefined when there are none to run. */
  readonly rules: CompiledRules | undefined
}

/**
 * The newest rules of every tenant, in memory. `refresh` asks PostgreSQL for versions since its last answer, so none is missed; while PostgreSQL does
 * not answer, the rules stay as they are.
 */
export class CurrentRules {
  readonly #deps: CurrentRulesDeps
  readonly #byTenant = new Map<number, Known>()
  /** Rows of transactions from this id on may not have been seen. Undefined before the first answer. */
  #bound: string | undefined

  constructor(deps: CurrentRulesDeps) {
    this.#deps = deps
  }

  /**
   * The rules for the lines of a tenant; undefined when there are none.
   * @throws TRANSFORMS_UNAVAILABLE before the first answer of PostgreSQL: a line that a rule drops or routes must not be stored without it
   */
  of(tenantId: number): CompiledRules | undefined {
    if (this.#bound === undefined) throw transformErrors.TRANSFORMS_UNAVAILABLE({ retryAfterSeconds: 1 })
    return this.#byTenant.get(tenantId)?.rules
  }

  /** Reads what has changed. Rejects when PostgreSQL cannot be read; the next call then reads everything since the last answer. */
  async refresh(): Promise<void> {
    const { rows } = await this.#deps.database.query<ChangedRow>({
      name: 'find_changed_log_transforms',
      text: SELECT_CHANGED,
      values: [this.#bound ?? null],
    })
    for (const { tenant_id, version, document } of rows) {
      if (tenant_id === null || version <= (this.#byTenant.get(tenant_id)?.version ?? 0)) continue
      await this.#load(tenant_id, version, document)
    }
    this.#bound = rows[0]?.next
  }

  /** Rules were checked before they were stored. If they cannot be used, a newer release wrote them, and the ones before go on. */
  async #load(tenantId: number, version: number, document: string): Promise<void> {
    const before = this.#byTenant.get(tenantId)
    try {
      const rules = await compileRules(JSON.parse(document))
      this.#byTenant.set(tenantId, { version, rules: rules.rules.length === 0 ? undefined : rules })
    } catch (error) {
      this.#deps.logger.error('the rules for the log lines of a tenant cannot be used; those before stay in use', {
        error,
        tenant_id: tenantId,
        version,
        used_version: before?.version ?? 0,
      })
      this.#byTenant.set(tenantId, { version, rules: before?.rules })
    }
  }
}

interface ChangedRow {
  readonly next: string
  readonly tenant_id: number | null
  readonly version: number
  readonly document: string
}

/**
 * One statement, so that rows and the next bound are from one snapshot: a transaction that is not visible in it has an id that is not below the bound,
 * however late it commits. Uses the index on changed_xid. Always returns at least one row.
 */
const SELECT_CHANGED = `
  select s.next::text as next, t.tenant_id, t.version, t.document
  from (select pg_snapshot_xmin(pg_current_snapshot()) as next) s
  left join log_transforms t on t.changed_xid >= coalesce($1::xid8, '0'::xid8)
    and t.version = (select max(version) from log_transforms m where m.tenant_id = t.tenant_id)`
