import { MINUTE_MS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { Queryable, Statement } from './statement.js'

/** May read the rows of the tenant in `millrace.tenant_id` and nothing else; see migrations/0001_tenant_isolation.sql. */
export const READER_ROLE = 'millrace_reader'

/** How long a missing role stays missing before we look again. */
const LOOK_AGAIN_MS = MINUTE_MS

/** Both settings last until the end of the transaction, so a pooled connection forgets them. */
export function tenantPreamble(tenantId: number, hasRole: boolean): Statement[] {
  const tenant = { text: `select set_config('millrace.tenant_id', $1, true)`, values: [String(tenantId)] }
  return hasRole ? [tenant, { text: `set local role ${READER_ROLE}` }] : [tenant]
}

/**
 * Whether we may act as the reader. Where the role could not be made (see ensureReaderRole), tenants are told apart by the statements' own
 * filters alone, and that is logged as an error each minute it is made use of.
 */
export class ReaderRole {
  readonly #logger: Logger
  #isThere = false
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(logger: Logger) {
    this.#logger = logger
  }

  async isThere(database: Queryable): Promise<boolean> {
    if (this.#isThere || performance.now() - this.#lookedAt < LOOK_AGAIN_MS) return this.#isThere
    const { rows } = await database.query<{ is_member: boolean }>(
      `select pg_has_role(current_user, oid, 'member') as is_member from pg_roles where rolname = $1`,
      [READER_ROLE],
    )
    this.#isThere = rows[0]?.is_member ?? false
    this.#lookedAt = performance.now()
    if (!this.#isThere)
      this.#logger.error('tenant isolation in the database is off: the role is missing or not granted to us', {
        role: READER_ROLE,
      })
    return this.#isThere
  }
}
