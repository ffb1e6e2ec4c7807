import { describe, expect, it } from '@jest/globals'
import type { MirrorLag } from '../queues/mirror-state.js'
import { createMirrorCheck } from './mirror-check.js'

const HOUR = 3_600

describe('the check of the mirror', () => {
  const run = (lag: Partial<MirrorLag>, retentionSeconds: number | null = 100 * HOUR) => {
    const whole = { partition: 1, lagRecords: 0, lagSeconds: 0, blockedReason: null, missed: 0, ...lag }
    const other = { partition: 0, lagRecords: 0, lagSeconds: 0, blockedReason: null, missed: 0 }
    const noted: number[] = []
    return createMirrorCheck(
      { topic: 'mirror' },
      {
        readMirror: async () => [other, whole],
        readRetentionSeconds: async () => retentionSeconds,
        noteMirror: (lags) => noted.push(lags.length),
      },
    ).run()
  }

  it.each<[string, string, Partial<MirrorLag>, number | null]>([
    ['healthy', 'everything is mirrored', {}, 100 * HOUR],
    ['healthy', 'events wait for seconds', { lagRecords: 10, lagSeconds: 5 }, 100 * HOUR],
    ['healthy', 'a partition was blocked and nothing waits any more', { blockedReason: 'x' }, 100 * HOUR],
    ['degraded', 'nothing can be written', { lagRecords: 1, lagSeconds: 1, blockedReason: 'x' }, 100 * HOUR],
    ['degraded', 'events wait for minutes', { lagRecords: 1, lagSeconds: 301 }, 100 * HOUR],
    ['degraded', 'a partition is not mirrored at all', { lagRecords: null }, 100 * HOUR],
    ['degraded', 'nobody says how long events are kept', { lagRecords: 1, lagSeconds: 1000 * HOUR }, null],
    [
      'unhealthy',
      'events wait for half of the time that they are kept',
      { lagRecords: 1, lagSeconds: 51 * HOUR },
      100 * HOUR,
    ],
  ])('is %s when %s', async (status, _when, lag, retentionSeconds) => {
    expect((await run(lag, retentionSeconds)).status).toBe(status)
  })

  it('reports the sum of the lags, the longest time, the reason, and what retention deleted too early', async () => {
    expect(await run({ lagRecords: 7, lagSeconds: 12.4, blockedReason: 'no broker answers', missed: 3 })).toEqual({
      status: 'degraded',
      mirror: {
        lag: 7,
        lag_seconds: 12,
        missed: 3,
        blocked_reason: 'no broker answers',
        partitions: [
          { partition: 0, lag: 0, lag_seconds: 0 },
          { partition: 1, lag: 7, lag_seconds: 12 },
        ],
      },
    })
  })
})
