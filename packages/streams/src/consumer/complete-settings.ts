import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import type { ConsumerSettings } from './consumer-types.js'

/** The settings with their defaults. Throws where they contradict each other. */
export function completeSettings(given: Partial<ConsumerSettings> = {}): ConsumerSettings {
  const leaseMs = given.leaseMs ?? 30_000
  return {
    partitions: 16,
    batchRecordsMax: 10_000,
    batchFramesMax: 500,
    batchBytesMax: 16 * 1024 ** 2,
    batchLingerMs: 5,
    blockMs: 5000,
    leaseMs,
    // A member that comes or goes is noticed within a second, at the cost of one small update a second.
    heartbeatMs: Math.min(1000, leaseMs / 6),
    retryAttempts: 3,
    retryFirstMs: 100,
    retryCapMs: 5000,
    leaveAfterMs: 30_000,
    idleCommitMs: 1000,
    mirrorMs: 1000,
    maintenanceMs: 10_000,
    windowRecords: 10_000_000,
    windowMs: 30 * DAY_MS,
    producerMemoryMs: 180 * DAY_MS,
    forgetMs: DAY_MS / 24,
    trimMemoryShare: 0.5,
    stallAfterMs: 30_000,
    hungAfterMs: Math.max(MINUTE_MS, 5 * leaseMs),
    ...given,
  }
}
