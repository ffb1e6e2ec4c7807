import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createObservedBreaker } from '@millrace/resilience'
import { startTestPostgresServer, startTestReplica, waitFor } from '@millrace/testing'
import { ReplicaGate, type ReplicaOutcome } from '../src/reads/replica-gate.js'
import { createSnapshot, type ReadOptions } from '../src/reads/snapshot.js'
import { storePartition } from './generated-data.js'

const LAG_MAX = 10_000
const DEADLINE = { deadlineMs: 30_000 }

describe('a streaming replica', () => {
  let primary: Awaited<ReturnType<typeof startTestPostgresServer>>
  let replica: Awaited<ReturnType<typeof startTestReplica>>
  let database: Database
  let onReplica: Database
  /** Milliseconds of the gate's clock. */
  let clock = 0
  let watermark = Date.UTC(2026, 10, 21)

  beforeAll(async () => {
    primary = await startTestPostgresServer({ settings: { wal_keep_size: '256MB', fsync: 'off' } })
    await migrate(primary.url)
    const before = openDatabase({ url: primary.url, connectionLimit: 1 })
    await storePartition(before, { partition: 0, next: 1, flushed: 1 })
    await before.close()
    replica = await startTestReplica(primary)
    const retry = { retryAttempts: 1, timeoutMs: 20_000 }
    database = openDatabase({ url: primary.url, replicaUrl: replica.url, ...retry })
    onReplica = openDatabase({ url: replica.url, connectionLimit: 1, ...retry })
  }, 300_000)
  afterAll(async () => {
    await database.close()
    await onReplica.close()
    await replica.stop()
    await primary.stop()
  })
  beforeEach(async () => {
    await onReplica.query('select pg_wal_replay_resume()')
    await advance()
    await caughtUp()
  })

  /** Moves the primary's watermark on and returns it. */
  const advance = async () => {
    watermark += 1000
    await database.query('update stream_partitions set watermark = $1', [new Date(watermark)])
    return watermark
  }
  const caughtUp = () =>
    waitFor(async () => {
      const { rows } = await onReplica.query<{ watermark: Date }>(
        'select watermark from stream_partitions order by partition',
      )
      return rows[0]?.watermark.getTime() === watermark
    }, DEADLINE)

  const open = () => {
    const outcomes: ReplicaOutcome[] = []
    const breaker = createObservedBreaker({ name: 'database-replica', windowCalls: 4 }, { logger: silentLogger })
    const gate = new ReplicaGate(
      { stream: 'events', consumerGroup: 'events-store', lagMaxMs: LAG_MAX },
      { primary: database, breaker, now: () => clock, onRead: (outcome) => outcomes.push(outcome) },
    )
    const snapshot = createSnapshot({ database, replica: gate })
    /** Which server answered, and its watermark. */
    const read = (options?: ReadOptions) =>
      snapshot(
        1,
        async (tx) => {
          const { rows } = await tx.query<{ is_replica: boolean; watermark: Date }>(
            'select pg_is_in_recovery() as is_replica, watermark from stream_partitions order by partition',
          )
          return { server: rows[0]?.is_replica ? 'replica' : 'primary', watermark: rows[0]?.watermark.getTime() }
        },
        options,
      )
    return { gate, read, outcomes, breaker }
  }

  it('serves reads', async () => {
    const { read, outcomes } = open()
    expect(await read()).toEqual({ server: 'replica', watermark })
    expect(await read({ minWatermarkMs: watermark })).toEqual({ server: 'replica', watermark })
    expect(outcomes).toEqual(['replica', 'replica'])
  })

  it('does not serve a read with a min_watermark that it has not reached; the primary does', async () => {
    const { read, outcomes } = open()
    await onReplica.query('select pg_wal_replay_pause()')
    const seen = watermark
    await advance()
    expect(await read({ minWatermarkMs: watermark })).toEqual({ server: 'primary', watermark })
    expect(await read({ minWatermarkMs: seen })).toEqual({ server: 'replica', watermark: seen })
    await onReplica.query('select pg_wal_replay_resume()')
    await caughtUp()
    expect(await read({ minWatermarkMs: watermark })).toEqual({ server: 'replica', watermark })
    expect(outcomes).toEqual(['too_old', 'replica', 'replica'])
  })

  it('is not used when it has stopped for longer than DATABASE_REPLICA_LAG_MAX, also without min_watermark', async () => {
    const { gate, read } = open()
    await onReplica.query('select pg_wal_replay_pause()')
    const old = watermark
    await gate.watchPrimary()
    await advance()
    clock += 1
    await gate.watchPrimary()
    clock += LAG_MAX - 1
    expect(await read()).toEqual({ server: 'replica', watermark: old })
    clock += 1
    expect(await read()).toEqual({ server: 'primary', watermark })
    await onReplica.query('select pg_wal_replay_resume()')
    await caughtUp()
    expect(await read()).toEqual({ server: 'replica', watermark })
  })

  it('is used when nothing new was stored on the primary', async () => {
    const { gate, read } = open()
    for (let look = 0; look < 20; look++) {
      await gate.watchPrimary()
      clock += LAG_MAX
    }
    expect(await read()).toEqual({ server: 'replica', watermark })
  })

  it('is not used while some partition was never consumed, since its watermark is not known', async () => {
    const { gate, read } = open()
    await database.query(
      `insert into stream_partitions (group_name, stream, partition) values ('events-store', 'events', 1)`,
    )
    await waitFor(async () => {
      const { rows } = await onReplica.query('select from stream_partitions')
      return rows.length === 2
    }, DEADLINE)
    expect(await read({ minWatermarkMs: watermark })).toMatchObject({ server: 'primary' })
    expect(await read()).toMatchObject({ server: 'replica' })
    await gate.watchPrimary()
    clock += LAG_MAX
    expect(await read()).toMatchObject({ server: 'primary' })
    await database.query('delete from stream_partitions where partition = 1')
  })

  it('is not used while it is down, and not tried by each read', async () => {
    const { read, outcomes, breaker } = open()
    await replica.kill()
    for (let index = 0; index < 6; index++) expect(await read()).toEqual({ server: 'primary', watermark })
    expect(outcomes).toEqual(Array.from({ length: 6 }, () => 'unreachable'))
    expect(breaker.state).toBe('open')
    await replica.restart()
    await waitFor(
      () =>
        open()
          .read()
          .then(({ server }) => server === 'replica'),
      DEADLINE,
    )
  })

  it('serves reads while the primary is down, except with a min_watermark that it has not reached', async () => {
    const { gate, read } = open()
    await gate.watchPrimary()
    await primary.kill()
    await gate.watchPrimary().catch(() => undefined)
    clock += 10 * LAG_MAX
    expect(await read()).toEqual({ server: 'replica', watermark })
    await expect(read({ minWatermarkMs: watermark + 1 })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    await primary.restart()
  })
})
