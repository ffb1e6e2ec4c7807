import { describe, expect, it } from '@jest/globals'
import { streamKey } from '@millrace/contracts'
import { startTestRedisCluster, startTestSentinel, waitFor } from '@millrace/testing'
import { runFailover } from './failover.js'

type Sentinels = Awaited<ReturnType<typeof startTestSentinel>>

/** If it came back before Sentinel has chosen another primary, it would take writes and lose them without a later frame that shows the gap. */
async function healReplaced(stack: Sentinels, killed: Awaited<ReturnType<Sentinels['primary']>>): Promise<void> {
  const isReplaced = async () => (await stack.primary().catch(() => killed)).port !== killed.port
  await waitFor(isReplaced, { deadlineMs: 60_000, what: 'another primary' })
  await killed.restart()
}

describe('the stream whose Redis primary is killed under load', () => {
  it('loses no acknowledged record behind Sentinel when a replica must confirm', async () => {
    const stack = await startTestSentinel({ downAfterMs: 500 })
    try {
      const primary = await stack.primary()
      const outcome = await runFailover({
        redis: {
          url: 'redis://ignored',
          sentinelHosts: stack.sentinels.map(({ port }) => `127.0.0.1:${port}`),
          masterName: stack.masterName,
        },
        minReplicas: 1,
        fail: () => primary.kill(),
        heal: () => healReplaced(stack, primary),
        loadMs: 3000,
        mustSpool: true,
      })
      expect(outcome).toMatchObject({ lost: 0, noticed: 0, isOrdered: true })
      expect(outcome.spooled).toBeGreaterThan(0)
    } finally {
      await stack.stop()
    }
  })

  it('loses no acknowledged record in a Cluster when a replica must confirm', async () => {
    const stack = await startTestRedisCluster({ replicasPerMaster: 1 })
    try {
      const victim = await stack.masterOf(streamKey('failover', 0))
      const outcome = await runFailover({
        redis: { url: stack.nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(','), clusterEnabled: true },
        minReplicas: 1,
        fail: () => victim.kill(),
        heal: () => victim.restart(),
        loadMs: 4000,
        mustSpool: true,
      })
      expect(outcome).toMatchObject({ lost: 0, noticed: 0, isOrdered: true })
      expect(outcome.spooled).toBeGreaterThan(0)
    } finally {
      await stack.stop()
    }
  })

  it('may lose the last acknowledged records when no replica must confirm, and every loss shows as a gap in the sequences', async () => {
    const stack = await startTestSentinel({ downAfterMs: 500 })
    try {
      const primary = await stack.primary()
      const outcome = await runFailover({
        redis: {
          url: 'redis://ignored',
          sentinelHosts: stack.sentinels.map(({ port }) => `127.0.0.1:${port}`),
          masterName: stack.masterName,
        },
        minReplicas: 0,
        fail: () => primary.kill(),
        heal: () => healReplaced(stack, primary),
        loadMs: 3000,
        mustSpool: false,
      })
      expect(outcome.isOrdered).toBe(true)
      expect(outcome.noticed).toBeGreaterThanOrEqual(outcome.lost)
    } finally {
      await stack.stop()
    }
  })
})
