import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import type { Transaction } from '@millrace/database'
import {
  ConsumerMetrics,
  createMemoryDriver,
  encodeFrame,
  type FlushedPositions,
  type FrameBatch,
  type MemoryDriver,
  parseProducerId,
} from '@millrace/streams'
import { createMetrics, noopTracer, type SpanOptions, type Tracer } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import { openLinesProducer, TEST_STREAMS, TestGroup } from './consumer-group.js'
import { StoringHandler } from './effects.js'
import { linesOf } from './lines-builder.js'

describe.each(TEST_STREAMS)('the frames of a consumer group (%s)', (_, open) => {
  let group: TestGroup
  beforeEach(async () => {
    group = await TestGroup.open(await open())
  })
  afterEach(() => group.release())

  it('stores every record once, in order within its partition', async () => {
    await group.start(new StoringHandler())
    const wanted = new Map<number, string[]>()
    for (let i = 0; i < 200; i++) {
      const partition = i % 4
      wanted.set(partition, [...(wanted.get(partition) ?? []), `${i}`])
      void group.send(partition, `${i}`)
      if (i % 10 === 0) await group.producer.flush()
    }
    await group.producer.flush()
    await group.effects.untilCount(200)
    expect(await group.effects.lines()).toEqual(wanted)
  })

  it('reports which sequences of which producer are committed', async () => {
    await group.start(new StoringHandler())
    const { sequence } = await group.send(2, 'a', 'b')
    await waitFor(async () => group.notices.length > 0)
    expect(group.notices).toEqual([
      { stream: group.stream, partition: 2, producers: { [group.producer.id]: sequence } },
    ])
  })

  it('continues the trace of a batch from one request, and links to the traces of several requests', async () => {
    const spans: { name: string; options: SpanOptions | undefined }[] = []
    const tracer: Tracer = {
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
        const batch = group.producer.open(partition)
        batch.builder.add(trace)
        batch.addTrace(trace)
        return batch.appended
      })
      await Promise.all(batches)
    }
    await sendTraced(one)
    const first = await group.start(new StoringHandler(), 'a', { deps: { tracer } })
    await group.effects.untilCount(1)
    await first.stop()
    await sendTraced(one, two)
    await group.start(new StoringHandler(), 'a', { deps: { tracer } })
    await group.effects.untilCount(3)
    expect(spans).toEqual([
      { name: `process ${group.stream}`, options: { kind: 'consumer', parent: one } },
      {
        name: `process ${group.stream}`,
        options: { kind: 'consumer', isRoot: true, links: expect.arrayContaining([one, two]) },
      },
    ])
  })

  it('drops frames that were sent twice, and counts records that are missing between two sequences as lost', async () => {
    await group.start(new StoringHandler())
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
    const append = async (bytes: Buffer) => await group.driver.append(group.stream, [{ partition: 3, frame: bytes }])
    await append(frame(1, ['a'], 1))
    await append(frame(1, ['a'], 1))
    await append(frame(2, ['b'], 2))
    await append(Buffer.from('not a frame at all'))
    await append(frame(5, ['e', 'f'], 9))
    await append(frame(4, ['late'], 7))
    await append(frame(6, ['g'], 10))
    await group.effects.untilCount(5)
    expect(await group.effects.lines()).toEqual(new Map([[3, ['a', 'b', 'e', 'f', 'g']]]))
    const { rows } = await group.effects.database.query(
      'select last_sequence::text, records::text, lost_records::text from stream_producers',
    )
    expect(rows).toEqual([{ last_sequence: '6', records: '10', lost_records: '5' }])
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
    const first = await group.start(new FlushingHandler())
    for (const line of ['a', 'flush', 'b', 'c']) {
      await group.send(0, line)
      await group.effects.untilCount(['a', 'flush', 'b', 'c'].indexOf(line) + 1)
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
    await group.start(second, 'b')
    await waitFor(async () => facts.length > 0)
    expect([replayed, facts]).toEqual([['b', 'c'], [{ nextOrdinal: 4, flushedOrdinal: 2 }]])
  })

  it('commits an empty batch for a handler that wants to flush when no frames come', async () => {
    const handler = new StoringHandler()
    let wishes = 1
    const consumer = await group.start(Object.assign(handler, { wantsCommit: () => wishes-- > 0 }))
    await waitFor(async () => handler.batches.includes(0))
    expect(consumer.state().blockedReason).toBeUndefined()
  })

  it('lets its handler flush the rest of its state before it stops', async () => {
    const handler = new StoringHandler()
    let isStopping = false
    const consumer = await group.start(
      Object.assign(handler, {
        wantsCommit: () => isStopping && !handler.batches.includes(0),
        stopping: () => {
          isStopping = true
        },
      }),
    )
    await group.send(0, 'a')
    await group.effects.untilCount(1)
    await consumer.stop()
    expect(handler.batches).toEqual([1, 0])
    expect(handler.revocations).toEqual([[0, 1, 2, 3]])
  })
})

describe('the frames of a consumer group, with the memory driver', () => {
  let group: TestGroup<MemoryDriver>
  /** Each test calls it first. */
  const open = async (options?: Parameters<typeof createMemoryDriver>[0]) => {
    group = await TestGroup.open({ driver: createMemoryDriver(options), stream: 'lines' })
  }
  afterEach(() => group.release())

  it('reads a stream that has lost its newest frames again from its start, and recognises new frames by their sequences', async () => {
    await open()
    const consumer = await group.start(new StoringHandler())
    for (const line of ['a', 'b', 'c']) await group.send(0, line)
    await group.effects.untilCount(3)
    await consumer.stop()
    group.driver.log('lines', 0).loseEnd(2)
    const other = await openLinesProducer(group)
    const { builder, appended } = other.open(0)
    builder.add('d')
    // It gets the second position, which is lower than the committed third one.
    await appended
    await other.close()
    await group.start(new StoringHandler(), 'b')
    await group.effects.untilCount(4)
    expect(await group.effects.lines()).toEqual(new Map([[0, ['a', 'b', 'c', 'd']]]))
  })

  it('trims frames beyond the window that every group has flushed, and none that the slowest group has not flushed', async () => {
    await open()
    await group.start(new StoringHandler(), 'a', { settings: { windowRecords: 4 * 10 } })
    for (let i = 0; i < 50; i++) await group.send(0, `${i}`)
    await group.effects.untilCount(50)
    await waitFor(async () => group.driver.log('lines', 0).length <= 11)
    expect(group.driver.log('lines', 0).length).toBeGreaterThanOrEqual(10)
    await group.effects.database.query(
      `insert into stream_partitions (group_name, stream, partition, flushed_position) values ('slow', 'lines', 0, '45')`,
    )
    for (let i = 50; i < 80; i++) await group.send(0, `${i}`)
    await group.effects.untilCount(80)
    await waitFor(async () => group.driver.log('lines', 0).first === '45', { what: 'the trim up to the slowest group' })
    const trim = jest.spyOn(group.driver, 'trim')
    await waitFor(async () => trim.mock.calls.filter(([, partition]) => partition === 0).length >= 4, {
      what: 'two more rounds of trimming',
    })
    expect(group.driver.log('lines', 0).first).toBe('45')
  })

  it('forgets only producers that were silent for long and have no frame in the stream', async () => {
    const HOUR = 3_600_000
    let nowMs = Date.now() - 2 * HOUR
    await open({ now: () => nowMs })
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
      await group.driver.append('lines', [{ partition, frame }])
    }
    const known = async () => {
      const { rows } = await group.effects.database.query<{ known: string }>(
        `select partition || ' ' || right(producer::text, 1) as known from stream_producers order by 1`,
      )
      return rows.map(({ known }) => known)
    }
    await sendAs('1', 0)
    await sendAs('1', 1)
    const first = await group.start(new StoringHandler())
    await group.effects.untilCount(2)
    await first.stop()
    await group.effects.database.query(`update stream_producers set updated_at = updated_at - interval '2 hours'`)
    for (const [sequence, agoMs] of [HOUR * 0.75, 0].entries()) {
      nowMs = Date.now() - agoMs
      await sendAs('2', 0, sequence + 1)
      await sendAs('2', 1, sequence + 1)
    }
    // A group that has read nothing of partition 1 keeps its frames there.
    await group.effects.database.query(
      `insert into stream_partitions (group_name, stream, partition) values ('slow', 'lines', 1)`,
    )
    await group.start(new StoringHandler(), 'b', {
      settings: { windowMs: HOUR / 2, producerMemoryMs: HOUR, forgetMs: 100 },
    })
    await waitFor(async () => (await known()).join() === '0 2,1 1,1 2')
  })

  it('measures its lag in frames and records, and shows its positions to the stream’s own tools', async () => {
    await open()
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const handler = new StoringHandler()
    let release: () => void = () => undefined
    handler.beforeCommit = async (batch) => {
      if (batch.records > 0) await new Promise<void>((resolve) => (release = resolve))
    }
    const consumer = await group.start(handler, 'm', { deps: { metrics: new ConsumerMetrics(metrics) } })
    for (let i = 0; i < 5; i++) await group.send(1, 'x', 'y')
    await waitFor(async () => consumer.state().lagRecords.get(1) === 10)
    const lagSeconds = async () =>
      Number(/millrace_stream_lag_seconds\{.*partition="1".*\} (\S+)/.exec(await metrics.expose())?.[1])
    await waitFor(async () => (await lagSeconds()) > 0)
    handler.beforeCommit = async () => undefined
    release()
    await waitFor(async () => consumer.state().lagRecords.get(1) === 0)
    await waitFor(async () => group.driver.mirrored.get('lines/store/1')?.framesRead === 5)
    const text = await metrics.expose()
    expect(text).toMatch(/millrace_stream_committed_records_total\{.*\} 10/)
    expect(text).toMatch(/millrace_stream_lag_records\{.*partition="1".*\} 0/)
    expect(await lagSeconds()).toBe(0)
    const bytes = group.driver
      .log('lines', 1)
      .after('', 10)
      .reduce((sum, frame) => sum + frame.bytes.length, 0)
    expect(text).toMatch(new RegExp(`millrace_stream_read_bytes_total\\{.*\\} ${bytes}\\n`))
    expect(text).toMatch(/millrace_stream_read_duration_seconds_count\{.*outcome="frames".*\} [1-9]/)
  })
})
