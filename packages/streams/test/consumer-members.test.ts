import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { type Consumer, createMemoryDriver, type MemoryDriver, type StreamReader } from '@millrace/streams'
import { waitFor } from '@millrace/testing'
import { TEST_STREAMS, TestGroup } from './consumer-group.js'
import { StoringHandler } from './effects.js'

/** Kafka's members learn of a new member after a sixth of it. Nothing here fails when a member loses its partitions on a busy machine. */
const LEASE_MS = 3000
/** For tests that wait until it has expired. */
const SHORT_LEASE_MS = 1500
/** Most lines that wait while members join and leave. */
const BACKLOG_MAX = 100

describe.each(TEST_STREAMS)('the members of a consumer group (%s)', (name, open) => {
  let group: TestGroup
  beforeEach(async () => {
    group = await TestGroup.open(await open(), { leaseMs: LEASE_MS })
  })
  afterEach(() => group.release())

  it('distributes partitions evenly when members join, and takes them over when a member leaves', async () => {
    const handlers = [new StoringHandler(), new StoringHandler()]
    const first = await group.start(handlers[0] as StoringHandler, 'a')
    await waitFor(async () => first.state().partitions.length === 4)
    const second = await group.start(handlers[1] as StoringHandler, 'b')
    await waitFor(async () => first.state().partitions.length === 2 && second.state().partitions.length === 2)
    await Promise.all([0, 1, 2, 3].map((partition) => group.send(partition, `to ${partition}`)))
    await group.effects.untilCount(4)
    await first.stop()
    await waitFor(async () => second.state().partitions.length === 4)
    await Promise.all([0, 1, 2, 3].map((partition) => group.send(partition, `again to ${partition}`)))
    await group.effects.untilCount(8)
    expect([...(await group.effects.lines()).values()]).toEqual(
      [0, 1, 2, 3].map((partition) => [`to ${partition}`, `again to ${partition}`]),
    )
    const { rows } = await group.effects.database.query<{ member: string }>('select member from stream_members')
    expect(rows.map(({ member }) => member)).toEqual([second.state().member])
  })

  it('stores every record once while members join and leave all the time', async () => {
    const lines: string[] = []
    const sendUntil = async (signal: AbortSignal) => {
      while (!signal.aborted) {
        for (let i = 0; i < 20; i++) {
          const line = lines.length
          lines.push(`${line}`)
          void group.send(line % 4, `${line}`)
        }
        // Goes on for as long as members join and leave, no faster than they store the lines.
        await waitFor(async () => signal.aborted || lines.length - (await group.effects.count()) < BACKLOG_MAX, {
          deadlineMs: 120_000,
          what: 'a smaller backlog',
        })
      }
      await group.producer.flush()
    }
    const joinAndLeave = async () => {
      let previous: Consumer | undefined
      for (let round = 0; round < 4; round++) {
        const stored = await group.effects.count()
        const next = await group.start(new StoringHandler(), `m${round}`)
        await waitFor(async () => next.state().partitions.length > 0)
        await previous?.stop()
        previous = next
        await group.effects.untilCount(stored + BACKLOG_MAX)
      }
    }
    const over = new AbortController()
    await Promise.all([sendUntil(over.signal), joinAndLeave().finally(() => over.abort())])
    await group.effects.untilCount(lines.length)
    expect([...(await group.effects.lines()).values()].flat().sort()).toEqual([...lines].sort())
    for (const [partition, stored] of await group.effects.lines())
      expect(stored).toEqual(lines.filter((_, index) => index % 4 === partition))
  })

  it('fences a member that works beyond its lease: its transaction fails and no record is stored twice', async () => {
    const slow = new StoringHandler()
    let isReleased = false
    let isIn = false
    slow.beforeCommit = async (_, tx) => {
      isIn = true
      // Busy all the time, so that no timeout of the server ends the transaction before the fence does.
      while (!isReleased) await tx.query('select pg_sleep(0.02)')
    }
    const warnings: string[] = []
    const logger = { ...silentLogger, child: () => logger, warn: (message: string) => void warnings.push(message) }
    // No heartbeats reach the database, as when the process is suspended.
    const hung = await group.start(slow, 'hung', {
      settings: { heartbeatMs: 1e9, leaseMs: SHORT_LEASE_MS },
      deps: { logger },
    })
    await waitFor(async () => hung.state().partitions.length === 4)
    // The one that goes to the other member: leases go by their number, a broker takes away the last ones.
    const moved = name === 'memory' ? 0 : 3
    await group.send(moved, 'once')
    await waitFor(async () => isIn)
    const other = await group.start(new StoringHandler(), 'other', { settings: { leaseMs: SHORT_LEASE_MS } })
    await waitFor(async () => other.state().partitions.includes(moved))
    await group.effects.untilCount(1)
    slow.beforeCommit = async () => undefined
    isReleased = true
    await waitFor(async () => warnings.length > 0)
    expect(slow.revocations.length).toBeGreaterThan(0)
    expect(warnings).toEqual(['another member has taken over a partition; the session starts again'])
    expect(await group.effects.lines()).toEqual(new Map([[moved, ['once']]]))
  })

  it('moves the partitions of a member whose handler hangs to another member', async () => {
    const hung = new StoringHandler()
    let release: (() => void) | undefined
    hung.beforeCommit = (batch) =>
      batch.records === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            release = resolve
          })
    await group.start(hung, 'hung', { settings: { hungAfterMs: 300, leaseMs: SHORT_LEASE_MS } })
    await group.send(0, 'once')
    await waitFor(async () => release !== undefined)
    const other = await group.start(new StoringHandler(), 'other', { settings: { leaseMs: SHORT_LEASE_MS } })
    await waitFor(async () => other.state().partitions.length === 4)
    await group.effects.untilCount(1)
    release?.()
    expect(await group.effects.lines()).toEqual(new Map([[0, ['once']]]))
  })

  it.each([
    ['before the commit', 'select pg_terminate_backend(pg_backend_pid())'],
    ['by an error', 'select 1 / 0'],
  ])('starts a new session when a transaction fails %s, and stores every record once', async (_, poison) => {
    const handler = new StoringHandler()
    let deaths = 0
    handler.beforeCommit = async (batch, tx) => {
      if (batch.records > 0 && deaths++ < 2) await tx.query(poison)
    }
    await group.start(handler)
    await Promise.all([0, 1, 2].map((partition) => group.send(partition, `line ${partition}`)))
    await group.effects.untilCount(3)
    expect(deaths).toBeGreaterThan(2)
    expect(handler.revocations.length).toBeGreaterThanOrEqual(2)
    expect(handler.assignments.length).toBeGreaterThanOrEqual(3)
    expect([...(await group.effects.lines()).values()].flat()).toEqual(['line 0', 'line 1', 'line 2'])
  })

  it('stores every record once while its connections are cut repeatedly', async () => {
    const handler = new StoringHandler()
    await group.start(handler)
    const lines = Array.from({ length: 400 }, (_, index) => `${index}`)
    let cuts = 0
    const cut = async () => {
      const { rows } = await group.effects.database.query<{ killed: string }>(
        `select count(pg_terminate_backend(pid))::text as killed from pg_stat_activity where application_name like 'millrace %' and datname = current_database()`,
      )
      return Number(rows[0]?.killed) > 0
    }
    for (const [index, line] of lines.entries()) {
      void group.send(index % 4, line)
      if (index % 40 === 39) {
        await group.producer.flush()
        await waitFor(cut, { what: 'a connection to cut' })
        cuts++
      }
    }
    await group.effects.untilCount(400)
    expect(cuts).toBe(10)
    for (const [partition, stored] of await group.effects.lines())
      expect(stored).toEqual(lines.filter((_, index) => index % 4 === partition))
  })

  it('shows its partitions as blocked after three retries, skips no record, and continues when the fault is gone', async () => {
    const handler = new StoringHandler()
    let isBroken = true
    handler.beforeCommit = async (batch) => {
      if (isBroken && batch.records > 0) throw new Error('the sink is away')
    }
    const consumer = await group.start(handler)
    await group.send(1, 'a')
    await waitFor(async () => consumer.state().blockedReason !== undefined)
    const blocked = async () => {
      const { rows } = await group.effects.database.query<{ blocked_reason: string | null }>(
        'select blocked_reason from stream_partitions where partition = 1',
      )
      return rows[0]?.blocked_reason
    }
    await waitFor(async () => (await blocked()) === 'the sink is away')
    await group.send(1, 'b')
    isBroken = false
    await group.effects.untilCount(2)
    await waitFor(async () => consumer.state().blockedReason === undefined && (await blocked()) === null)
    expect(await group.effects.lines()).toEqual(new Map([[1, ['a', 'b']]]))
  })

  it('loses a member that is the only one to keep failing, and gets it back later', async () => {
    const ill = new StoringHandler()
    let isIll = true
    ill.beforeCommit = async (batch) => {
      if (isIll && batch.records > 0) throw new Error('this member is ill')
    }
    const first = await group.start(ill, 'ill', { settings: { leaveAfterMs: 200 } })
    const well = await group.start(new StoringHandler(), 'well')
    await waitFor(async () => first.state().partitions.length === 2 && well.state().partitions.length === 2)
    for (let i = 0; i < 8; i++) void group.send(i % 4, `${i}`)
    await group.effects.untilCount(8)
    expect(ill.batches).toEqual([])
    isIll = false
    await waitFor(async () => first.state().partitions.length === 2 && well.state().partitions.length === 2)
    for (let i = 8; i < 16; i++) void group.send(i % 4, `${i}`)
    await group.effects.untilCount(16)
    expect(first.state().blockedReason).toBeUndefined()
    expect(await group.effects.lines()).toEqual(
      new Map([0, 1, 2, 3].map((partition) => [partition, [0, 4, 8, 12].map((i) => `${i + partition}`)])),
    )
  })
})

describe('the members of a consumer group, with the memory driver', () => {
  let group: TestGroup<MemoryDriver>
  /** Each test calls it first. */
  const open = async (options?: Parameters<typeof createMemoryDriver>[0]) => {
    group = await TestGroup.open({ driver: createMemoryDriver(options), stream: 'lines' })
  }
  afterEach(() => group.release())

  it('continues to read when the stream comes back, without losing its state', async () => {
    await open()
    const handler = new StoringHandler()
    const openReader = jest.spyOn(group.driver, 'openReader')
    await group.start(handler)
    await group.send(0, 'a')
    await group.effects.untilCount(1)
    const reader = (await openReader.mock.results[0]?.value) as StreamReader
    const read = jest.spyOn(reader, 'read')
    group.driver.isUp = false
    const failed = async () => {
      const results = await Promise.allSettled(read.mock.results.map(({ value }) => value))
      return results.filter(({ status }) => status === 'rejected').length >= 2
    }
    await waitFor(failed, { what: 'reads that fail' })
    group.driver.isUp = true
    await waitFor(async () => {
      await group.send(0, 'b').catch(() => undefined)
      return (await group.effects.count()) >= 2
    })
    expect(handler.revocations).toEqual([])
  })

  it('stores every record once when the broker assigns the partitions', async () => {
    await open({ assignment: 'broker' })
    const first = await group.start(new StoringHandler(), 'a')
    await waitFor(async () => first.state().partitions.length === 4)
    const second = await group.start(new StoringHandler(), 'b')
    await waitFor(async () => first.state().partitions.length === 2 && second.state().partitions.length === 2)
    for (let i = 0; i < 40; i++) await group.send(i % 4, `${i}`)
    await group.effects.untilCount(40)
    await first.stop()
    await waitFor(async () => second.state().partitions.length === 4)
    await group.send(0, '40')
    await group.effects.untilCount(41)
    expect(
      [...(await group.effects.lines()).values()]
        .flat()
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 41 }, (_, i) => i))
  })
})
