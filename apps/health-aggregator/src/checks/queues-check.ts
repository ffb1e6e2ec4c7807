import type { LedgerState } from '../ledger/ledger-watch.js'
import type { QueueState } from '../queues/queue-state.js'
import type { HealthCheck } from './health-check.js'

export interface QueuesCheckConfig {
  readonly stream: string
  /** The queue is degraded when the lag of a partition exceeds this, in records. */
  readonly lagMax: number
}

export interface QueuesCheckDeps {
  readonly readState: () => Promise<QueueState>
  readonly ledger: () => LedgerState
  readonly noteState: (state: QueueState) => void
}

/**
 * Lag, dead letters and ledger of a stream: unhealthy when records are lost, or will soon be because the server removes frames that are not stored yet;
 * degraded when a partition is blocked or too far behind.
 */
export function createQueuesCheck({ stream, lagMax }: QueuesCheckConfig, deps: QueuesCheckDeps): HealthCheck {
  return {
    name: 'queues',
    async run() {
      const state = await deps.readState()
      deps.noteState(state)
      const ledger = deps.ledger()
      const lags = state.partitions.map(({ lagRecords }) => lagRecords)
      const blocked = state.partitions.filter(({ blockedReason }) => blockedReason !== null)
      const isBehind = lags.some((lag) => lag === null || lag > lagMax)
      const isBalanced = ledger.unbalancedTenants === 0
      const isUnsafe = !isBalanced || state.expiringPartitions.length > 0
      const status = isUnsafe ? 'unhealthy' : blocked.length > 0 || isBehind ? 'degraded' : 'healthy'
      return {
        status,
        [stream]: {
          lag: lags.every((lag) => lag === null) ? null : lags.reduce<number>((sum, lag) => sum + (lag ?? 0), 0),
          dead_letters: state.deadLetters,
          blocked_partitions: blocked.length,
          expiring_partitions: state.expiringPartitions,
          in_flight: ledger.inFlight,
          lost: ledger.lost,
          balanced: isBalanced,
          verified_at: ledger.verifiedAtMs === null ? null : new Date(ledger.verifiedAtMs).toISOString(),
          partitions: state.partitions.map(({ partition, lagRecords, owner, blockedReason, watermark }) => ({
            partition,
            lag: lagRecords,
            owner,
            watermark,
            ...(blockedReason === null ? {} : { blocked_reason: blockedReason }),
          })),
        },
      }
    },
  }
}
