import { type Archive, findChains, type TenantKeys, verifyChain } from '@millrace/archive'
import type { AuditOrigin } from '@millrace/audit'
import { type Database, DayPartitions } from '@millrace/database'
import type { ObjectStore } from '@millrace/object-store'
import { LEVEL_NAMES } from '../records/severity.js'
import { markArchived } from './archive-statements.js'
import { decodeChunkRows } from './chunk-payload.js'
import { exportLines } from './export-lines.js'
import { listHolds, listRules, placeHold, releaseHold, setRule } from './legal-holds.js'
import { restoreChunks } from './restore-chunks.js'

export interface CommandDeps {
  readonly database: Database
  readonly store: ObjectStore
  readonly keys: TenantKeys
  readonly archive: Archive
  readonly stream: string
  readonly origin: AuditOrigin
  readonly print: (line: string) => void
}

/** The options of a command line by name, and what is not an option. */
export interface Arguments {
  readonly options: Readonly<Record<string, string | undefined>>
  readonly rest: readonly string[]
}

/** Runs a command and returns its exit code; undefined when the arguments are wrong. */
type Command = (deps: CommandDeps, args: Arguments) => Promise<number | undefined>

const KEPT_DAYS_DEFAULT = 7

export const commands: Readonly<Record<string, Command>> = {
  async verify({ database, store, keys, stream, print }, { options, rest }) {
    const tenantId = readTenant(options.tenant)
    if (rest.length > 0 || tenantId === null) return undefined
    const chains = await findChains(database, { stream, tenantId })
    const total = { segments: 0, records: 0, deleted: 0, problems: 0 }
    for (const chain of chains) {
      const { segments, records, deleted, problems } = await verifyChain(chain, { database, store, keys })
      for (const { kind, reason } of problems) print(`${kind}: ${reason}`)
      total.segments += segments
      total.records += records
      total.deleted += deleted
      total.problems += problems.length
    }
    print(
      `${chains.length} chains, ${total.segments} segments, ${total.records} lines, ${total.deleted} segments deleted on purpose, ${total.problems} problems`,
    )
    return total.problems === 0 ? 0 : 1
  },

  async restore({ database, archive, stream, print }, { options, rest }) {
    const range = readRange(options)
    const tenantId = readTenant(options.tenant)
    const keptDays = readCount(options['keep-days'] ?? String(KEPT_DAYS_DEFAULT))
    if (rest.length > 0 || range === undefined || tenantId === null || keptDays === undefined) return undefined
    const report = await restoreChunks(
      { stream, tenantId, ...range, into: options.into, keptDays },
      { database, archive, dayPartitions: new DayPartitions(database) },
    )
    print(
      `${report.restoredChunks} chunks with ${report.restoredLines} lines were restored from ${report.segments} segments; ${report.presentChunks} chunks were there already`,
    )
    return 0
  },

  async export({ database, archive, stream, print }, { options, rest }) {
    const range = readRange(options)
    const tenantId = readTenant(options.tenant)
    if (rest.length > 0 || range === undefined || tenantId === null || options.into === undefined) return undefined
    const lines = await exportLines({ stream, tenantId, ...range, file: options.into }, { database, archive })
    print(`${lines} lines were written to ${options.into}`)
    return 0
  },

  async hold({ database, stream, origin, print }, { options, rest: [action, id, ...rest] }) {
    if (rest.length > 0) return undefined
    if (action === 'list' && id === undefined) {
      for (const hold of await listHolds(database)) print(JSON.stringify(hold))
      return 0
    }
    if (action === 'release') {
      const number = readCount(id)
      if (number === undefined) return undefined
      const isReleased = await releaseHold(database, number, origin)
      print(isReleased ? `hold ${number} is released` : `there is no hold ${number} that is not released`)
      return isReleased ? 0 : 1
    }
    const tenantId = readTenant(options.tenant)
    const [fromMs, toMs] = [readTime(options.from), readTime(options.to)]
    const isComplete =
      action === 'add' && id === undefined && typeof tenantId === 'number' && options.reason !== undefined
    if (!isComplete || fromMs === null || toMs === null) return undefined
    const placed = await placeHold(database, { tenantId, stream, fromMs, toMs, reason: options.reason ?? '' }, origin)
    print(`hold ${placed} is placed on the log lines of tenant ${tenantId}`)
    return 0
  },

  async rule({ database, stream, origin, print }, { options, rest }) {
    if (rest.length === 1 && rest[0] === 'list') {
      for (const rule of await listRules(database)) print(JSON.stringify(rule))
      return 0
    }
    const tenantId = readTenant(options.tenant)
    const { level = '', days } = options
    const keptDays = days === 'default' ? undefined : readCount(days)
    const isLevel = level === '' || (LEVEL_NAMES as readonly string[]).includes(level)
    if (rest.length > 0 || typeof tenantId !== 'number' || !isLevel) return undefined
    if (days !== 'default' && (keptDays === undefined || keptDays < 1)) return undefined
    await setRule(database, { tenantId, stream, label: level, keptDays }, origin)
    const what = level === '' ? 'log lines' : `segments with no level above ${level}`
    print(
      keptDays === undefined
        ? 'the rule is removed'
        : `archived ${what} of tenant ${tenantId} are kept for ${keptDays} days`,
    )
    return 0
  },

  async rotate({ keys, print }, { rest: [what, ...rest] }) {
    if (rest.length > 0 || (what !== undefined && what !== 'tenants')) return undefined
    const tenants = await keys.tenants()
    if (what === 'tenants') for (const tenant of tenants) await keys.create(tenant)
    let wrapped = 0
    for (const tenant of tenants) wrapped += await keys.rewrap(tenant)
    if (what === 'tenants') print(`${tenants.length} tenants have a new key for new segments`)
    print(
      `${wrapped} keys of ${tenants.length} tenants were wrapped by the first master key; no other master key is needed any more`,
    )
    return 0
  },

  async rebuild({ archive, print }, { rest }) {
    if (rest.length > 0) return undefined
    const { entries, problems } = await archive.rebuild(({ entry, payload }) => [
      markArchived(entry.tenantId, decodeChunkRows(payload)),
    ])
    for (const problem of problems) print(problem)
    print(`${entries} entries of the archive were added to PostgreSQL, ${problems.length} problems`)
    return problems.length === 0 ? 0 : 1
  },

  async status({ database, stream, print }, { rest }) {
    if (rest.length > 0) return undefined
    const { rows } = await database.query<{
      pending_records: bigint
      oldest_pending_at: Date | null
      reason: string | null
      checked_at: Date
    }>('select pending_records, oldest_pending_at, reason, checked_at from archive_status where stream = $1', [stream])
    const [row] = rows
    if (row === undefined) print('nothing was archived yet')
    else {
      const { pending_records: pending, oldest_pending_at: oldest, reason, checked_at: checked } = row
      print(
        `${pending} lines wait for the archive${oldest === null ? '' : `, the oldest since ${oldest.toISOString()}`} (${checked.toISOString()})`,
      )
      if (reason !== null) print(`the last attempt failed: ${reason}`)
    }
    return row?.reason === null || row === undefined ? 0 : 1
  },
}

function readRange({ from, to }: Arguments['options']): { fromMs: number; toMs: number } | undefined {
  const [fromMs, toMs] = [readTime(from), readTime(to)]
  return typeof fromMs === 'number' && typeof toMs === 'number' && fromMs < toMs ? { fromMs, toMs } : undefined
}

/** A time in ISO 8601; a date alone is its start in UTC. Undefined without text, null for another text. */
function readTime(text: string | undefined): number | undefined | null {
  if (text === undefined) return undefined
  const ms = Date.parse(text)
  return Number.isFinite(ms) && /^\d{4}-\d{2}-\d{2}(T.*(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? ms : null
}

function readTenant(text: string | undefined): number | undefined | null {
  return text === undefined ? undefined : (readCount(text) ?? null)
}

function readCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined
}
