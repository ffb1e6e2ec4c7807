import type { StackOptions } from '@millrace/local-stack'

export interface ChaosStackSettings {
  /** Room of the gateway's spool in bytes. Default: its own. */
  spoolBytesMax?: number | undefined
  /** Life of a lease in milliseconds. Default 3,000, so that a round does not take the half minute of the service's default. */
  leaseMs?: number | undefined
}

/** The settings under which chaos runs: two consumers, short leases, days that are split while the load runs, and no end to restarts. */
export function chaosStackOptions({ spoolBytesMax, leaseMs = 3_000 }: ChaosStackSettings): Partial<StackOptions> {
  return {
    instances: { 'stream-consumer': 2 },
    deathsMax: 1_000,
    env: {
      LEASE_MS: String(leaseMs),
      EVENTS_SEGMENT_MB: '1',
      ...(spoolBytesMax !== undefined && { SPOOL_BYTES_MAX: String(spoolBytesMax) }),
    },
  }
}
