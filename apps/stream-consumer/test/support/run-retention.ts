import type { Database } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createRetention, type RetentionDeps } from '@millrace/retention'
import { COARSE_LEVELS } from '@millrace/rollups'
import { type RetentionTimes, retentionRules } from '../../src/maintain/retention-rules.js'
import { publishRollupCutoffs } from '../../src/maintain/rollup-retention.js'

const DAY = 86_400_000

export interface RetentionRun extends Partial<Omit<RetentionTimes, 'levelsMs'>> {
  readonly levelsMs?: Partial<RetentionTimes['levelsMs']>
  readonly nowMs: number
  readonly acceptedMs?: RetentionDeps['acceptedMs']
  readonly onRowsDeleted?: (relation: string, rows: number) => void
}

/** Runs retention once as run.ts sets it up. Everything is kept for 10 days unless `run` says otherwise. */
export async function runRetention(database: Database, run: RetentionRun): Promise<void> {
  const { nowMs, onRowsDeleted, eventsMs = 10 * DAY, deduplicationMs = DAY } = run
  const levels = COARSE_LEVELS.map(({ name }) => [name, run.levelsMs?.[name] ?? 10 * DAY])
  const levelsMs = Object.fromEntries(levels) as RetentionTimes['levelsMs']
  const retain = createRetention(
    { rules: retentionRules('events', { eventsMs, deduplicationMs, levelsMs }), lock: 'test' },
    {
      database,
      logger: silentLogger,
      now: () => nowMs,
      publishCutoffs: publishRollupCutoffs,
      ...(run.acceptedMs !== undefined && { acceptedMs: run.acceptedMs }),
      ...(onRowsDeleted !== undefined && { onRowsDeleted }),
    },
  )
  await retain(new AbortController().signal)
}
