import { MINUTE_MS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { Queryable, Statement } from './statement.js'

/** May only read the rows of the tenant in `millrace.tenant_id`; see migrations/0001_tenant_isolation.sql. */
export const READER_ROLE = 'millrace_reader'

/** A missing role is looked for again after this time. */
const CHECK_INTERVAL_MS = MINUTE_MS

/** Sets tenant and role until the end of the transaction, so that they do not stay on the pooled connection. */
export function tenantPreamble(tenantId: number, hasRole: boolean): Statement[] {
  const tenant = { text: `select set_config('millrace.tenant_id', $1, true)`, values: [String(tenantId)] }
  return hasRole ? [tenant, { text: `set local role ${READER_ROLE}` }] : [tenant]
}

/**
 * Whether the reader role exists and is granted to us. Without it (see ensureReaderRole) only the statements' own filters separate tenants, and each
 * minute in which that happens an error is logged.
 */
export class ReaderRole {
  readonly #logger: Logger
  #isGranted = false
  #checkedAt = Number.NEGATIVE_INFINITY

  constructor(logger: Logger) {
    this.#logger = logger
  }

  async isGranted(database: Queryable): Promise<boolean> {
    if (this.#isGranted || performance.now() - this.#checkedAt < CHECK_INTERVAL_MS) return this.#isGranted
    const { rows } = await database.query<{ is_member: boolean }>(
      `select pg_has_role(current_user, oid, 'member') as is_member from pg_roles where rolname = $1`,
      [READER_ROLE],
    )
    this.#isGranted = rows[0]?.is_member ?? false
    this.#checkedAt = performance.now()
    if (!this.#isGranted)
      this.#logger.error('tenant isolation in the database is off: the role is missing or not granted to us', {
        role: READER_ROLE,
      })
    return this.#isGranted
  }
}
