import { DAY_MS } from '@millrace/contracts'
import type { Connection, Database } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import type { RetentionRule } from './retention-rule.js'

export interface RetentionConfig {
  /** In the order of deletion: a relation comes after the one it depends on. */
  readonly rules: readonly RetentionRule[]
  /** Name of the advisory lock that lets one process work. */
  readonly lock: string
}

export interface RetentionDeps {
  readonly database: Pick<Database, 'connection'>
  readonly logger: Logger
  /** ms since 1970. */
  readonly now: () => number
  /**
   * How old events may be that are still accepted, in ms, whatever the rules say. When it rejects, nothing is deleted.
   */
  readonly acceptedMs?: (connection: Connection) => Promise<number>
  /**
   * Called before anything is deleted, for readers that have to know from which time on data is complete. When it
   * rejects, nothing is deleted. `cutoffOf` gives the cutoff of a relation.
   */
  readonly publishCutoffs?: (connection: Connection, cutoffOf: (relation: string) => Date) => Promise<void>
  /** Called for each statement that deleted rows one by one. */
  readonly onRowsDeleted?: (relation: string, rows: number) => void
  /** Called when day partitions were dropped. */
  readonly onPartitionsDropped?: () => void
}

/** A connection of its own holds the lock, so that it is released when the process dies. */
const CONNECTION = { applicationName: 'millrace-retention', statementTimeoutMs: 600_000 }

/**
 * Returns a function that deletes, by one rule after the other, all data beyond its retention. When several processes
 * call it at once, one works and the others return. Its signal stops it between two statements; the next call
 * continues.
 * @throws Error when a rule depends on a relation that has no earlier rule.
 */
export function createRetention(config: RetentionConfig, deps: RetentionDeps): (signal: AbortSignal) => Promise<void> {
  keptMsOf(config.rules, 0)
  return async (signal) => {
    const connection = await deps.database.connection(CONNECTION)
    try {
      const { rows } = await connection.query<{ locked: boolean }>(
        'select pg_try_advisory_lock(hashtext($1)) as locked',
        [config.lock],
      )
      if (rows[0]?.locked !== true) return
      const keptMs = keptMsOf(config.rules, (await deps.acceptedMs?.(connection)) ?? 0)
      await deleteAll(config.rules, { connection, keptMs, signal, deps })
    } finally {
      await connection.close()
    }
  }
}

/** How long each relation is kept: what it depends on included, and as long as events are accepted for it. */
function keptMsOf(rules: readonly RetentionRule[], acceptedMs: number): ReadonlyMap<string, number> {
  const kept = new Map<string, number>()
  for (const { relation, keptMs, dependsOn, takesEvents } of rules) {
    const ownMs = takesEvents === true ? acceptedMs : 0
    const leastMs = dependsOn === undefined ? ownMs : kept.get(dependsOn)
    if (leastMs === undefined) throw new Error(`${relation} depends on ${dependsOn}, which has no earlier rule`)
    kept.set(relation, Math.max(keptMs, leastMs))
  }
  return kept
}

interface Run {
  readonly connection: Connection
  readonly keptMs: ReadonlyMap<string, number>
  readonly signal: AbortSignal
  readonly deps: RetentionDeps
}

async function deleteAll(rules: readonly RetentionRule[], { connection, keptMs, signal, deps }: Run): Promise<void> {
  const nowMs = deps.now()
  const cutoffOf = (relation: string): Date => {
    const kept = keptMs.get(relation)
    if (kept === undefined) throw new Error(`there is no retention rule for ${relation}`)
    return new Date(Math.floor((nowMs - kept) / DAY_MS) * DAY_MS)
  }
  await deps.publishCutoffs?.(connection, cutoffOf)
  const partitions: string[] = []
  const deleted: Record<string, number> = {}
  try {
    for (const { relation, deleteBefore } of rules) {
      if (signal.aborted) return
      await deleteBefore(cutoffOf(relation), {
        connection,
        signal,
        onRowsDeleted: (rows) => {
          deleted[relation] = (deleted[relation] ?? 0) + rows
          deps.onRowsDeleted?.(relation, rows)
        },
        onPartitionsDropped: (names) => {
          partitions.push(...names)
          deps.onPartitionsDropped?.()
        },
      })
    }
  } finally {
    if (partitions.length > 0 || Object.keys(deleted).length > 0)
      deps.logger.info('data beyond its retention was deleted', { partitions, rows: deleted })
  }
}
