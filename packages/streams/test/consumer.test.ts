import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Transaction } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import {
  type CommittedNotice,
  type Consumer,
  ConsumerMetrics,
  type ConsumerSettings,
  createMemoryDriver,
  encodeFrame,
  type FlushedPositions,
  type FrameBatch,
  type MemoryDriver,
  openProducer,
  type Producer,
  parseProducerId,
  runConsumer,
  type StreamDriver,
  type StreamReader,
} from '@millrace/streams'
import { createMetrics, noopTracer, type SpanOptions, type Tracer } from '@millrace/telemetry'
import { findTestKafka, useTestKafka, waitFor } from '@millrace/testing'
import { type Effects, openEffects, StoringHandler } from './effects.js'
import { openTestKafkaDriver } from './kafka-driver.js'
import { LinesBuilder, linesOf } from './lines-builder.js'

const QUICK: Partial<ConsumerSettings> = {
  partitions: 4,
  leaseMs: 900,
  heartbeatMs: 100,
  mirrorMs: 50,
  maintenanceMs: 100,
  idleCommitMs: 50,
  retryFirstMs: 10,
  retryCapMs: 100,
  blockMs: 500,
}

/** The drivers that these tests run on. The stream must be empty. */
const DRIVERS: [name: string, open: () => Promise<{ driver: StreamDriver; stream: string }>][] = [
  ['memory', async () => ({ driver: createMemoryDriver(), stream: 'lines' })],
]
if (typeof findTestKafka('consumer groups with Kafka') !== 'string') {
  DRIVERS.push([
    'Kafka',
    async () => {
      const { brokers, prefix } = await useTestKafka()
      const driver = await openTestKafkaDriver(brokers, silentLogger)
      await driver.prepare(`${prefix}-lines`, 4)
      return { driver, stream: `${prefix}-lines` }
    },
  ])
}

describe.each(DRIVERS)('a consumer group (%s)', (name, open) => {
  /** Some tests look into the memory driver, or need a clock of their own. */
  const isMemory = name === 'memory'
  let effects: Effects
  let stream: string
  let driver: StreamDriver
  /** The same driver, in tests that look into the memory driver. */
  let memory: MemoryDriver
  let producer: Producer<LinesBuilder>
  let consumers: Consumer[]
  let tracer: Tracer
  const notices: CommittedNotice[] = []

  beforeEach(async () => {
    effects = await openEffects()
    const opened = await open()
    stream = opened.stream
    driver = opened.driver
    memory = driver as MemoryDriver
    producer = await openProducer(
      { stream, partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
      { driver, logger: silentLogger },
    )
    consumers = []
    tracer = noopTracer
    notices.length = 0
  })
  afterEach(async () => {
    for (const consumer of consumers) await consumer.stop()
    await producer.close()
    await driver.close()
    await effects.release()
  })

  const start = async (handler: StoringHandler, member = 'a', settings: Partial<ConsumerSettings> = {}) => {
    const consumer = await runConsumer(
      {
        driver,
        stream,
        group: 'store',
        member,
        database: effects.database,
        handler,
        settings: { ...QUICK, ...settings },
      },
      { logger: silentLogger, tracer, onCommitted: (given) => notices.push(...given) },
    )
    consumers.push(consumer)
    return consumer
  }
  const send = async (partition: number, ...lines: string[]) => {
    const { builder, appended } = producer.open(partition)
    for (const line of lines) builder.add(line)
    return await appended
  }

  it('stores every record once, in order within its partition', async () => {
    await start(new StoringHandler())
    const wanted = new Map<number, string[]>()
    for (let i = 0; i < 200; i++) {
      const partition = i % 4
      wanted.set(partition, [...(wanted.get(partition) ?? []), `${i}`])
      void send(partition, `${i}`)
      if (i % 10 === 0) await producer.flush()
    }
    await producer.flush()
    await effects.untilCount(200)
    expect(await effects.lines()).toEqual(wanted)
  })

  it('reports which sequences of which producer are committed', async () => {
    await start(new StoringHandler())
    const { sequence } = await send(2, 'a', 'b')
    await waitFor(async () => notices.length > 0)
    expect(notices).toEqual([{ stream, partition: 2, producers: { [producer.id]: sequence } }])
  })

  it('distributes partitions evenly when members join, and takes them over when a member leaves', async () => {
    const handlers = [new StoringHandler(), new StoringHandler()]
    const first = await start(handlers[0] as StoringHandler, 'a')
    await waitFor(async () => first.state().partitions.length === 4)
    const second = await start(handlers[1] as StoringHandler, 'b')
    await waitFor(async () => first.state().partitions.length === 2 && second.state().partitions.length === 2)
    await Promise.all([0, 1, 2, 3].map((partition) => send(partition, `to ${partition}`)))
    await effects.untilCount(4)
    await first.stop()
    await waitFor(async () => second.state().partitions.length === 4)
    await Promise.all([0, 1, 2, 3].map((partition) => send(partition, `again to ${partition}`)))
    await effects.untilCount(8)
    expect([...(await effects.lines()).values()]).toEqual(
      [0, 1, 2, 3].map((partition) => [`to ${partition}`, `again to ${partition}`]),
    )
    const { rows } = await effects.database.query<{ member: string }>('select member from stream_members')
    expect(rows.map(({ member }) => member)).toEqual([second.state().member])
  })

  it('stores every record once while members join and leave all the time', async () => {
    const lines = Array.from({ length: 600 }, (_, index) => `${index}`)
    const sending = (async () => {
      for (const [index, line] of lines.entries()) {
        void send(index % 4, line)
        if (index % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await producer.flush()
    })()
    for (let round = 0; round < 4; round++) {
      const consumer = await start(new StoringHandler(), `m${round}`)
      await waitFor(async () => consumer.state().partitions.length > 0)
      if (round > 0) await (consumers[round - 1] as Consumer).stop()
    }
    await sending
    await effects.untilCount(600)
    expect([...(await effects.lines()).values()].flat().sort()).toEqual([...lines].sort())
    for (const [partition, stored] of await effects.lines())
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
    const hung = await runConsumer(
      {
        driver,
        stream,
        group: 'store',
        member: 'hung',
        database: effects.database,
        handler: slow,
        settings: { ...QUICK, heartbeatMs: 1e9 },
      },
      { logger },
    )
    consumers.push(hung)
    await waitFor(async () => hung.state().partitions.length === 4)
    // The one that goes to the other member: leases go by their number, a broker takes away the last ones.
    const moved = isMemory ? 0 : 3
    await send(moved, 'once')
    await waitFor(async () => isIn)
    const other = await start(new StoringHandler(), 'other')
    await waitFor(async () => other.state().partitions.includes(moved))
    await effects.untilCount(1)
    slow.beforeCommit = async () => undefined
    isReleased = true
    await waitFor(async () => warnings.length > 0)
    expect(slow.revocations.length).toBeGreaterThan(0)
    expect(warnings).toEqual(['another member has taken over a partition; the session starts again'])
    expect(await effects.lines()).toEqual(new Map([[moved, ['once']]]))
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
    await start(hung, 'hung', { hungAfterMs: 300 })
    await send(0, 'once')
    await waitFor(async () => release !== undefined)
    const other = await start(new StoringHandler(), 'other')
    await waitFor(async () => other.state().partitions.length === 4)
    await effects.untilCount(1)
    release?.()
    expect(await effects.lines()).toEqual(new Map([[0, ['once']]]))
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
    await start(handler)
    await Promise.all([0, 1, 2].map((partition) => send(partition, `line ${partition}`)))
    await effects.untilCount(3)
    expect(deaths).toBeGreaterThan(2)
    expect(handler.revocations.length).toBeGreaterThanOrEqual(2)
    expect(handler.assignments.length).toBeGreaterThanOrEqual(3)
    expect([...(await effects.lines()).values()].flat()).toEqual(['line 0', 'line 1', 'line 2'])
  })

  it('stores every record once while its connections are cut repeatedly', async () => {
    const handler = new StoringHandler()
    await start(handler)
    const lines = Array.from({ length: 400 }, (_, index) => `${index}`)
    let cuts = 0
    const cut = async () => {
      const { rows } = await effects.database.query<{ killed: string }>(
        `select count(pg_terminate_backend(pid))::text as killed from pg_stat_activity where application_name like 'millrace store%' and datname = current_database()`,
      )
      return Number(rows[0]?.killed) > 0
    }
    for (const [index, line] of lines.entries()) {
      void send(index % 4, line)
      if (index % 40 === 39) {
        await producer.flush()
        await waitFor(cut, { what: 'a connection to cut' })
        cuts++
      }
    }
    await effects.untilCount(400)
    expect(cuts).toBe(10)
    for (const [partition, stored] of await effects.lines())
      expect(stored).toEqual(lines.filter((_, index) => index % 4 === partition))
  })

  it('shows its partitions as blocked after three retries, skips no record, and continues when the fault is gone', async () => {
    const handler = new StoringHandler()
    let isBroken = true
    handler.beforeCommit = async (batch) => {
      if (isBroken && batch.records > 0) throw new Error('the sink is away')
    }
    const consumer = await start(handler)
    await send(1, 'a')
    await waitFor(async () => consumer.state().blockedReason !== undefined)
    const blocked = async () => {
      const { rows } = await effects.database.query<{ blocked_reason: string | null }>(
        'select blocked_reason from stream_partitions where partition = 1',
      )
      return rows[0]?.blocked_reason
    }
    await waitFor(async () => (await blocked()) === 'the sink is away')
    await send(1, 'b')
    isBroken = false
    await effects.untilCount(2)
    await waitFor(async () => consumer.state().blockedReason === undefined && (await blocked()) === null)
    expect(await effects.lines()).toEqual(new Map([[1, ['a', 'b']]]))
  })

  it('loses a member that is the only one to keep failing, and gets it back later', async () => {
    const ill = new StoringHandler()
    let isIll = true
    ill.beforeCommit = async (batch) => {
      if (isIll && batch.records > 0) throw new Error('this member is ill')
    }
    const first = await start(ill, 'ill', { leaveAfterMs: 200 })
    const well = await start(new StoringHandler(), 'well')
    await waitFor(async () => first.state().partitions.length === 2 && well.state().partitions.length === 2)
    for (let i = 0; i < 8; i++) void send(i % 4, `${i}`)
    await effects.untilCount(8)
    expect(ill.batches).toEqual([])
    isIll = false
    await waitFor(async () => first.state().partitions.length === 2 && well.state().partitions.length === 2)
    for (let i = 8; i < 16; i++) void send(i % 4, `${i}`)
    await effects.untilCount(16)
    expect(first.state().blockedReason).toBeUndefined()
    expect(await effects.lines()).toEqual(
      new Map([0, 1, 2, 3].map((partition) => [partition, [0, 4, 8, 12].map((i) => `${i + partition}`)])),
    )
  })

  it('continues the trace of a batch from one request, and links to the traces of several requests', async () => {
    const spans: { name: string; options: SpanOptions | undefined }[] = []
    tracer = {
      ...noopTracer,
      isOn: true,
      withSpan: (name, attributes, fn, options) => {
        spans.push({ name, options })
        return noopTracer.withSpan(name, attributes, fn, options)
      },
    }
    const [one, two] = ['1', '2'].map((digit) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`) as [string, string]
    const sendTraced = async (...traces: string[]) => {
      const batches = traces.map((trace, partition) => {
        const batch = producer.open(partition)
        batch.builder.add(trace)
        batch.addTrace(trace)
        return batch.appended
      })
      await Promise.all(batches)
    }
    await sendTraced(one)
    await start(new StoringHandler())
    await effects.untilCount(1)
    await consumers.pop()?.stop()
    await sendTraced(one, two)
    await start(new StoringHandler())
    await effects.untilCount(3)
    expect(spans).toEqual([
      { name: `process ${stream}`, options: { kind: 'consumer', parent: one } },
      {
        name: `process ${stream}`,
        options: { kind: 'consumer', isRoot: true, links: expect.arrayContaining([one, two]) },
      },
    ])
  })

  it('drops frames that were sent twice, and counts records that are missing between two sequences as lost', async () => {
    await start(new StoringHandler())
    const frame = (sequence: number, records: string[], cumulativeRecords: number) =>
      encodeFrame({
        producer: parseProducerId('00000000-0000-4000-8000-000000000001'),
        sequence,
        flags: 0,
        records: records.length,
        cumulativeRecords,
        firstTimeMs: 1,
        lastTimeMs: 2,
        payload: Buffer.from(records.join('\n')),
      })
    const append = async (bytes: Buffer) => await driver.append(stream, [{ partition: 3, frame: bytes }])
    await append(frame(1, ['a'], 1))
    await append(frame(1, ['a'], 1))
    await append(frame(2, ['b'], 2))
    await append(Buffer.from('not a frame at all'))
    await append(frame(5, ['e', 'f'], 9))
    await append(frame(4, ['late'], 7))
    await append(frame(6, ['g'], 10))
    await effects.untilCount(5)
    expect(await effects.lines()).toEqual(new Map([[3, ['a', 'b', 'e', 'f', 'g']]]))
    const { rows } = await effects.database.query(
      'select last_sequence::text, records::text, lost_records::text from stream_producers',
    )
    expect(rows).toEqual([{ last_sequence: '6', records: '10', lost_records: '5' }])
  })

  if (isMemory)
    it('reads a stream that has lost its newest frames again from its start, and recognises new frames by their sequences', async () => {
      const consumer = await start(new StoringHandler())
      for (const line of ['a', 'b', 'c']) await send(0, line)
      await effects.untilCount(3)
      await consumer.stop()
      memory.log('lines', 0).loseEnd(2)
      const other = await openProducer(
        { stream, partitions: 4, createBuilder: () => new LinesBuilder() },
        { driver, logger: silentLogger },
      )
      const { builder, appended } = other.open(0)
      builder.add('d')
      // It gets the second position, which is lower than the committed third one.
      await appended
      await other.close()
      await start(new StoringHandler(), 'b')
      await effects.untilCount(4)
      expect(await effects.lines()).toEqual(new Map([[0, ['a', 'b', 'c', 'd']]]))
    })

  it('replays to a new owner exactly the frames between the flushed and the committed position', async () => {
    const replayed: string[] = []
    class FlushingHandler extends StoringHandler {
      flush: FlushedPositions = new Map()
      override async apply(batch: FrameBatch, tx: Transaction): Promise<never> {
        await super.apply(batch, tx)
        const last = batch.frames.at(-1)
        if (last && linesOf(last.payload).includes('flush'))
          return new Map([[0, { position: last.position, ordinal: last.firstOrdinal + last.header.records }]]) as never
        return new Map() as never
      }
    }
    const first = await start(new FlushingHandler())
    for (const line of ['a', 'flush', 'b', 'c']) {
      await send(0, line)
      await effects.untilCount(['a', 'flush', 'b', 'c'].indexOf(line) + 1)
    }
    await first.stop()
    const second = new FlushingHandler()
    const facts: unknown[] = []
    second.onAssigned = async (partitions, context) => {
      for (const { partition, nextOrdinal, flushedOrdinal } of partitions) {
        for await (const { payload } of context.replay(partition)) replayed.push(...linesOf(payload))
        if (partition === 0) facts.push({ nextOrdinal, flushedOrdinal })
      }
    }
    await start(second, 'b')
    await waitFor(async () => facts.length > 0)
    expect([replayed, facts]).toEqual([['b', 'c'], [{ nextOrdinal: 4, flushedOrdinal: 2 }]])
  })

  it('commits an empty batch for a handler that wants to flush when no frames come', async () => {
    const handler = new StoringHandler()
    let wishes = 1
    const consumer = await start(Object.assign(handler, { wantsCommit: () => wishes-- > 0 }))
    await waitFor(async () => handler.batches.includes(0))
    expect(consumer.state().blockedReason).toBeUndefined()
  })

  it('lets its handler flush the rest of its state before it stops', async () => {
    const handler = new StoringHandler()
    let isStopping = false
    const consumer = await start(
      Object.assign(handler, {
        wantsCommit: () => isStopping && !handler.batches.includes(0),
        stopping: () => {
          isStopping = true
        },
      }),
    )
    await send(0, 'a')
    await effects.untilCount(1)
    await consumer.stop()
    expect(handler.batches).toEqual([1, 0])
    expect(handler.revocations).toEqual([[0, 1, 2, 3]])
  })

  if (isMemory)
    it('trims frames beyond the window that every group has flushed, and none that the slowest group has not flushed', async () => {
      const settings = { windowRecords: 4 * 10 }
      await start(new StoringHandler(), 'a', settings)
      for (let i = 0; i < 50; i++) await send(0, `${i}`)
      await effects.untilCount(50)
      await waitFor(async () => memory.log('lines', 0).length <= 11)
      expect(memory.log('lines', 0).length).toBeGreaterThanOrEqual(10)
      await effects.database.query(
        `insert into stream_partitions (group_name, stream, partition, flushed_position) values ('slow', 'lines', 0, '45')`,
      )
      for (let i = 50; i < 80; i++) await send(0, `${i}`)
      await effects.untilCount(80)
      await waitFor(async () => memory.log('lines', 0).first === '45', { what: 'the trim up to the slowest group' })
      const trim = jest.spyOn(driver, 'trim')
      await waitFor(async () => trim.mock.calls.filter(([, partition]) => partition === 0).length >= 4, {
        what: 'two more rounds of trimming',
      })
      expect(memory.log('lines', 0).first).toBe('45')
    })

  if (isMemory)
    it('forgets only producers that were silent for long and have no frame in the stream', async () => {
      const HOUR = 3_600_000
      let nowMs = Date.now() - 2 * HOUR
      driver = memory = createMemoryDriver({ now: () => nowMs })
      const sendAs = async (member: string, partition: number, sequence = 1) => {
        const payload = Buffer.from(member)
        const facts = {
          flags: 0,
          records: 1,
          cumulativeRecords: sequence,
          firstTimeMs: 1,
          lastTimeMs: 1,
          sequence,
          payload,
        }
        const frame = encodeFrame({
          producer: parseProducerId(`00000000-0000-4000-8000-00000000000${member}`),
          ...facts,
        })
        await driver.append(stream, [{ partition, frame }])
      }
      const known = async () => {
        const { rows } = await effects.database.query<{ known: string }>(
          `select partition || ' ' || right(producer::text, 1) as known from stream_producers order by 1`,
        )
        return rows.map(({ known }) => known)
      }
      await sendAs('1', 0)
      await sendAs('1', 1)
      const first = await start(new StoringHandler())
      await effects.untilCount(2)
      await first.stop()
      await effects.database.query(`update stream_producers set updated_at = updated_at - interval '2 hours'`)
      for (const [sequence, agoMs] of [HOUR * 0.75, 0].entries()) {
        nowMs = Date.now() - agoMs
        await sendAs('2', 0, sequence + 1)
        await sendAs('2', 1, sequence + 1)
      }
      // A group that has read nothing of partition 1 keeps its frames there.
      await effects.database.query(
        `insert into stream_partitions (group_name, stream, partition) values ('slow', 'lines', 1)`,
      )
      await start(new StoringHandler(), 'b', { windowMs: HOUR / 2, producerMemoryMs: HOUR, forgetMs: 100 })
      await waitFor(async () => (await known()).join() === '0 2,1 1,1 2')
    })

  if (isMemory)
    it('measures its lag in frames and records, and shows its positions to the stream’s own tools', async () => {
      const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
      const handler = new StoringHandler()
      let open: () => void = () => undefined
      handler.beforeCommit = async (batch) => {
        if (batch.records > 0) await new Promise<void>((resolve) => (open = resolve))
      }
      const consumer = await runConsumer(
        { driver, stream, group: 'store', member: 'm', database: effects.database, handler, settings: QUICK },
        { logger: silentLogger, metrics: new ConsumerMetrics(metrics) },
      )
      consumers.push(consumer)
      for (let i = 0; i < 5; i++) await send(1, 'x', 'y')
      await waitFor(async () => consumer.state().lagRecords.get(1) === 10)
      const lagSeconds = async () =>
        Number(/millrace_stream_lag_seconds\{.*partition="1".*\} (\S+)/.exec(await metrics.expose())?.[1])
      await waitFor(async () => (await lagSeconds()) > 0)
      handler.beforeCommit = async () => undefined
      open()
      await waitFor(async () => consumer.state().lagRecords.get(1) === 0)
      await waitFor(async () => memory.mirrored.get('lines/store/1')?.framesRead === 5)
      const text = await metrics.expose()
      expect(text).toMatch(/millrace_stream_committed_records_total\{.*\} 10/)
      expect(text).toMatch(/millrace_stream_lag_records\{.*partition="1".*\} 0/)
      expect(await lagSeconds()).toBe(0)
      const bytes = memory
        .log('lines', 1)
        .after('', 10)
        .reduce((sum, frame) => sum + frame.bytes.length, 0)
      expect(text).toMatch(new RegExp(`millrace_stream_read_bytes_total\\{.*\\} ${bytes}\\n`))
      expect(text).toMatch(/millrace_stream_read_duration_seconds_count\{.*outcome="frames".*\} [1-9]/)
    })

  if (isMemory)
    it('continues to read when the stream comes back, without losing its state', async () => {
      const handler = new StoringHandler()
      const openReader = jest.spyOn(driver, 'openReader')
      await start(handler)
      await send(0, 'a')
      await effects.untilCount(1)
      const reader = (await openReader.mock.results[0]?.value) as StreamReader
      const read = jest.spyOn(reader, 'read')
      memory.isUp = false
      const failed = async () => {
        const results = await Promise.allSettled(read.mock.results.map(({ value }) => value))
        return results.filter(({ status }) => status === 'rejected').length >= 2
      }
      await waitFor(failed, { what: 'reads that fail' })
      memory.isUp = true
      await waitFor(async () => {
        await send(0, 'b').catch(() => undefined)
        return (await effects.count()) >= 2
      })
      expect(handler.revocations).toEqual([])
    })

  if (isMemory)
    it('stores every record once when the broker assigns the partitions', async () => {
      driver = memory = createMemoryDriver({ assignment: 'broker' })
      producer = await openProducer(
        { stream, partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
        { driver, logger: silentLogger },
      )
      const first = await start(new StoringHandler(), 'a')
      await waitFor(async () => first.state().partitions.length === 4)
      const second = await start(new StoringHandler(), 'b')
      await waitFor(async () => first.state().partitions.length === 2 && second.state().partitions.length === 2)
      for (let i = 0; i < 40; i++) await send(i % 4, `${i}`)
      await effects.untilCount(40)
      await first.stop()
      await waitFor(async () => second.state().partitions.length === 4)
      await send(0, '40')
      await effects.untilCount(41)
      expect(
        [...(await effects.lines()).values()]
          .flat()
          .map(Number)
          .sort((a, b) => a - b),
      ).toEqual(Array.from({ length: 41 }, (_, i) => i))
    })
})
