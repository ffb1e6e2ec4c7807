import type { MirrorLag } from '../queues/mirror-state.js'
import type { HealthCheck } from './health-check.js'

export interface MirrorCheckConfig {
  readonly topic: string
}

export interface MirrorCheckDeps {
  readonly readMirror: () => Promise<readonly MirrorLag[]>
  /** How long events are kept, in seconds; null when no consumer runs that says so. */
  readonly readRetentionSeconds: () => Promise<number | null>
  readonly noteMirror: (lags: readonly MirrorLag[]) => void
}

/** A Kafka that takes events again after a restart of its brokers has caught up within this time. */
const LAG_SECONDS_MAX = 300
/** From this share of the retention on, a person has to act before events are deleted that were not mirrored. */
const RETENTION_SHARE_MAX = 0.5

/** The lag of KAFKA_MIRROR_TOPIC: degraded when it is above 5 minutes, unhealthy when events wait for more than half of the time that they are kept. */
export function createMirrorCheck({ topic }: MirrorCheckConfig, deps: MirrorCheckDeps): HealthCheck {
  return {
    name: 'mirror',
    async run() {
      const [lags, retentionSeconds] = await Promise.all([deps.readMirror(), deps.readRetentionSeconds()])
      deps.noteMirror(lags)
      const lagSeconds = Math.max(0, ...lags.map((lag) => lag.lagSeconds))
      const blocked = lags.filter(({ blockedReason, lagRecords }) => blockedReason !== null && lagRecords !== 0)
      const isNearRetention = retentionSeconds !== null && lagSeconds > retentionSeconds * RETENTION_SHARE_MAX
      const isBehind = lagSeconds > LAG_SECONDS_MAX || blocked.length > 0 || lags.some((lag) => lag.lagRecords === null)
      return {
        status: isNearRetention ? 'unhealthy' : isBehind ? 'degraded' : 'healthy',
        ...(isNearRetention && {
          error: `events have waited for ${Math.round(lagSeconds / 3600)} hours and are deleted after ${Math.round(retentionSeconds / 3600)}`,
        }),
        [topic]: {
          lag: lags.reduce((sum, { lagRecords }) => sum + (lagRecords ?? 0), 0),
          lag_seconds: Math.round(lagSeconds),
          missed: lags.reduce((sum, { missed }) => sum + missed, 0),
          ...(blocked[0] !== undefined && { blocked_reason: blocked[0].blockedReason }),
          partitions: lags.map((lag) => ({
            partition: lag.partition,
            lag: lag.lagRecords,
            lag_seconds: Math.round(lag.lagSeconds),
          })),
        },
      }
    },
  }
}
