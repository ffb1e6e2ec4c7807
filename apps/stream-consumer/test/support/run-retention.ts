import type { Database } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createRetention } from '@millrace/retention'
import { type RetentionTimes, retentionRules } from '../../src/maintain/retention-rules.js'
import { publishRollupCutoffs } from '../../src/maintain/rollup-retention.js'

const DAY = 86_400_000

export interface RetentionRun extends Partial<RetentionTimes> {
  readonly nowMs: number
  readonly onRowsDeleted?: (relation: string, rows: number) => void
}

/** Runs retention once as run.ts sets it up. Events are kept for 10 days unless `run` says otherwise. */
export async function runRetention(database: Database, run: RetentionRun): Promise<void> {
  const { nowMs, onRowsDeleted, ...times } = run
  const levelsMs = { '5m': 10 * DAY, '1h': 20 * DAY, '1d': 30 * DAY }
  const retain = createRetention(
    { rules: retentionRules({ eventsMs: 10 * DAY, deduplicationMs: DAY, levelsMs, ...times }), lock: 'test' },
    {
      database,
      logger: silentLogger,
      now: () => nowMs,
      publishCutoffs: publishRollupCutoffs,
      ...(onRowsDeleted !== undefined && { onRowsDeleted }),
    },
  )
  await retain(new AbortController().signal)
}
