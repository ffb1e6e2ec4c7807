import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import {
  createMemoryDriver,
  decodeFrame,
  decodeFrameTraces,
  type MemoryDriver,
  type MemoryFault,
  openProducer,
  type Producer,
  type ProducerConfig,
  type ProducerDeps,
  ProducerMetrics,
} from '@millrace/streams'
import { createMetrics, createResilienceMetrics } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import fc from 'fast-check'
import { LinesBuilder, linesOf } from './lines-builder.js'

const STREAM = 'lines'
let directory: string
let driver: MemoryDriver
let producers: Producer<LinesBuilder>[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-producer-'))
  driver = createMemoryDriver()
  producers = []
})
afterEach(async () => {
  driver.isUp = true
  driver.faultOf = () => undefined
  for (const producer of producers) await producer.close()
  rmSync(directory, { recursive: true, force: true })
})

const start = async (config: Partial<ProducerConfig<LinesBuilder>> = {}, deps: Partial<ProducerDeps> = {}) => {
  const producer = await openProducer(
    {
      stream: STREAM,
      partitions: 4,
      createBuilder: () => new LinesBuilder(),
      lingerMs: 1,
      circuitBreaker: { openMs: 100 },
      sendAttempts: 2,
      closeTimeoutMs: 100,
      ...config,
    },
    { driver, logger: silentLogger, ...deps },
  )
  producers.push(producer)
  return producer
}
const withSpool = {
  spool: {
    get directory() {
      return directory
    },
  },
}
const send = (producer: Producer<LinesBuilder>, partition: number, ...lines: string[]) => {
  const { builder, appended } = producer.open(partition)
  for (const line of lines) builder.add(line)
  return appended
}
const framesOf = (partition: number) =>
  driver
    .log(STREAM, partition)
    .after('', 1_000_000)
    .map(({ bytes }) => decodeFrame(bytes))
/** Reads a partition like a consumer: the lines of frames with a new sequence, and the number of missing frames. */
const consume = (partition: number) => {
  const last = new Map<string, number>()
  const lines: string[] = []
  let gaps = 0
  for (const { header, payload } of framesOf(partition)) {
    const seen = last.get(header.producer) ?? 0
    if (header.sequence <= seen) continue
    gaps += header.sequence - seen - 1
    last.set(header.producer, header.sequence)
    lines.push(...linesOf(payload))
  }
  return { lines, gaps }
}

describe('the producer', () => {
  it('puts all records of a partition that were added within one linger into one frame, with one promise', async () => {
    const producer = await start()
    const first = send(producer, 0, 'a', 'b')
    const second = send(producer, 0, 'c')
    expect(second).toBe(first)
    expect(await first).toEqual({ partition: 0, sequence: 1, isSpooled: false })
    expect(framesOf(0).map(({ payload }) => linesOf(payload))).toEqual([['a', 'b', 'c']])
  })

  it('numbers the frames of each partition from 1, and each frame holds the count of records so far', async () => {
    const producer = await start()
    await send(producer, 0, 'a', 'b')
    await send(producer, 1, 'x')
    await send(producer, 0, 'c')
    const facts = (partition: number) =>
      framesOf(partition).map(({ header }) => [
        header.producer,
        header.sequence,
        header.records,
        header.cumulativeRecords,
      ])
    expect(facts(0)).toEqual([
      [producer.id, 1, 2, 2],
      [producer.id, 2, 1, 3],
    ])
    expect(facts(1)).toEqual([[producer.id, 1, 1, 1]])
  })

  it('writes the traceparents of a batch into its frame and into no later frame', async () => {
    const producer = await start()
    const trace = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`
    const batch = producer.open(0)
    batch.builder.add('a')
    for (const digit of '1234567890') batch.addTrace(trace(digit))
    await batch.appended
    await send(producer, 0, 'b')
    const traces = driver
      .log(STREAM, 0)
      .after('', 10)
      .map(({ bytes }) => decodeFrameTraces(bytes))
    expect(traces).toEqual([Array.from('12345678', trace), undefined])
    expect(consume(0)).toEqual({ lines: ['a', 'b'], gaps: 0 })
  })

  it('seals a batch when it reaches its size, and sends the frames of a partition one after the other', async () => {
    const producer = await start({ frameBytesMax: 10 })
    const appended = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cc'].map((line) => send(producer, 0, line))
    expect((await Promise.all(appended)).map(({ sequence }) => sequence)).toEqual([1, 2, 3])
    expect(consume(0)).toEqual({ lines: ['aaaaaaaaaa', 'bbbbbbbbbb', 'cc'], gaps: 0 })
  })

  it('sends a batch that was opened, left empty and opened again', async () => {
    const producer = await start()
    producer.open(0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect((await send(producer, 0, 'late')).sequence).toBe(1)
  })

  it('sends the same frame again when an append ends without an answer', async () => {
    const producer = await start()
    let faults = 1
    driver.faultOf = () => (faults-- > 0 ? 'ambiguous' : undefined)
    await send(producer, 0, 'a')
    await send(producer, 0, 'b')
    expect(framesOf(0).map(({ header }) => header.sequence)).toEqual([1, 1, 2])
    expect(consume(0)).toEqual({ lines: ['a', 'b'], gaps: 0 })
  })

  it('refuses records while too many bytes wait, and accepts records again afterwards', async () => {
    const producer = await start({
      unacknowledgedBytesMax: 200,
      frameBytesMax: 50,
      ...withSpool,
      sendAttempts: 1000,
      sendTimeoutMs: 60_000,
    })
    driver.isUp = false
    const waiting = ['x'.repeat(60), 'y'.repeat(60), 'z'.repeat(60)].map((line) => send(producer, 0, line))
    await waitFor(async () => producer.counts().unacknowledgedBytes > 200)
    expect(() => producer.open(1)).toThrow(
      expect.objectContaining({ code: 'STREAM_OVERLOADED', kind: 'exhausted', retryAfterSeconds: 1 }),
    )
    driver.isUp = true
    await Promise.all(waiting)
    await send(producer, 1, 'again')
  })

  it('refuses records near the memory ceiling, does not spool them, and stores none of them later', async () => {
    driver = createMemoryDriver({ ceilingBytes: 400 })
    const producer = await start(withSpool)
    await send(producer, 0, 'x'.repeat(250))
    const refused = send(producer, 0, 'y'.repeat(100))
    await expect(refused).rejects.toMatchObject({ code: 'STREAM_FULL', kind: 'exhausted', retryAfterSeconds: 5 })
    expect(() => producer.open(1)).toThrow(expect.objectContaining({ code: 'STREAM_FULL' }))
    expect(producer.counts().spoolFrames).toBe(0)
    expect(producer.counts().unacknowledgedBytes).toBe(0)
    driver.log(STREAM, 0).trim('2', 1)
    await waitFor(() => Promise.resolve(tryOpen(producer)))
    expect(await send(producer, 0, 'z')).toMatchObject({ sequence: 2 })
    expect(consume(0).lines).toEqual(['z'])
  })

  it('keeps the sequence of a refused frame that may be stored, so that no later frame uses it', async () => {
    driver = createMemoryDriver({ ceilingBytes: 300 })
    const producer = await start()
    let faults = 1
    driver.faultOf = () => (faults-- > 0 ? 'ambiguous' : undefined)
    // Stored, but the answer is lost; the second try finds the stream full.
    await expect(send(producer, 0, 'x'.repeat(150))).rejects.toMatchObject({ code: 'STREAM_FULL' })
    driver.log(STREAM, 0).trim('2', 1)
    await waitFor(() => Promise.resolve(tryOpen(producer)))
    await send(producer, 0, 'later')
    expect(framesOf(0).map(({ header, payload }) => [header.sequence, ...linesOf(payload)])).toEqual([
      [1, 'x'.repeat(150)],
      [2, 'later'],
    ])
  })

  it('refuses records without a spool while the stream is down, and leaves no gap in the sequences', async () => {
    const producer = await start()
    driver.isUp = false
    await expect(send(producer, 0, 'a')).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE', kind: 'unavailable' })
    expect(() => producer.open(0)).toThrow(
      expect.objectContaining({ code: 'STREAM_UNAVAILABLE', retryAfterSeconds: 5 }),
    )
    driver.isUp = true
    await waitFor(() => Promise.resolve(tryOpen(producer)))
    await send(producer, 0, 'b')
    expect(consume(0)).toEqual({ lines: ['a', 'b'], gaps: 0 })
  })

  it('acknowledges records from the spool while the stream is down, and drains them in order before newer ones', async () => {
    const producer = await start(withSpool)
    await send(producer, 0, 'before')
    driver.isUp = false
    for (let i = 0; i < 5; i++)
      expect(await send(producer, 0, `down ${i}`)).toMatchObject({ sequence: i + 2, isSpooled: true })
    driver.isUp = true
    await Promise.all(Array.from({ length: 50 }, (_, i) => send(producer, 0, `after ${i}`)))
    let direct = 0
    // The partition returns to the stream shortly after its last frame has left the spool.
    await waitFor(async () => !(await send(producer, 0, `direct ${direct++}`)).isSpooled)
    const wanted = [
      'before',
      ...Array.from({ length: 5 }, (_, i) => `down ${i}`),
      ...Array.from({ length: 50 }, (_, i) => `after ${i}`),
      ...Array.from({ length: direct }, (_, i) => `direct ${i}`),
    ]
    expect(consume(0)).toEqual({ lines: wanted, gaps: 0 })
  })

  it('drains the spool as soon as the stream is back, even if the circuit is still open', async () => {
    const producer = await start({ ...withSpool, circuitBreaker: { windowCalls: 2, openMs: 3_600_000 } })
    driver.isUp = false
    await send(producer, 0, 'a')
    driver.isUp = true
    expect((await send(producer, 1, 'b')).isSpooled).toBe(true)
    await waitFor(async () => producer.counts().spoolFrames === 0)
    expect([consume(0), consume(1)]).toEqual([
      { lines: ['a'], gaps: 0 },
      { lines: ['b'], gaps: 0 },
    ])
  })

  it('counts the frames that the stream has not acknowledged, by reason', async () => {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const faults: MemoryFault[] = ['lost', 'ambiguous', 'ambiguous']
    driver.faultOf = () => faults.shift()
    const producer = await start({ sendAttempts: 5 }, { metrics: new ProducerMetrics(metrics) })
    await send(producer, 0, 'a')
    const text = await metrics.expose()
    expect(text).toMatch(/millrace_stream_append_failures_total\{[^}]*reason="not_stored"[^}]*\} 1\n/)
    expect(text).toMatch(/millrace_stream_append_failures_total\{[^}]*reason="no_answer"[^}]*\} 2\n/)
    expect(text).not.toContain('reason="full"')
  })

  it('shows by a metric whether its circuit breaker is open', async () => {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const resilienceMetrics = createResilienceMetrics(metrics)
    const config = { ...withSpool, circuitBreaker: { windowCalls: 2, openMs: 3_600_000 } }
    const producer = await start(config, { resilienceMetrics })
    const state = () => resilienceMetrics.circuitState.with({ name: `stream ${STREAM}` }).value
    expect(await metrics.expose()).toContain(`millrace_circuit_breaker_state{name="stream ${STREAM}",service="test"} 0`)
    driver.isUp = false
    await send(producer, 0, 'a')
    expect(state()).toBe(2)
  })

  it('refuses every record while the disk of the stream is full, in the check as well', async () => {
    const disks = { isStreamDiskFull: true, isSpoolDiskFull: false }
    const producer = await start(withSpool, { disks })
    const refusal = expect.objectContaining({ code: 'STREAM_DISK_FULL', httpStatus: 503, retryAfterSeconds: 5 })
    expect(() => producer.open(0)).toThrow(refusal)
    expect(() => producer.check()).toThrow(refusal)
    disks.isStreamDiskFull = false
    producer.check()
    expect(await send(producer, 0, 'a')).toMatchObject({ isSpooled: false })
  })

  it('finds out by its check, without a record, that the stream is down and the spool could not take a frame', async () => {
    const disks = { isStreamDiskFull: false, isSpoolDiskFull: true }
    const producer = await start(withSpool, { disks })
    const checkCode = () => {
      try {
        producer.check()
        return 'accepts'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(checkCode()).toBe('accepts')
    driver.isUp = false
    await waitFor(async () => checkCode() === 'STREAM_SPOOL_FULL')
    disks.isSpoolDiskFull = false
    expect(checkCode()).toBe('accepts')
    driver.isUp = true
    const without = await start()
    driver.isUp = false
    await waitFor(async () => {
      try {
        without.check()
        return false
      } catch (error) {
        return (error as { code: string }).code === 'STREAM_UNAVAILABLE'
      }
    })
  })

  it('spools only the partitions that the stream does not take', async () => {
    const producer = await start(withSpool)
    driver.faultOf = (_, { partition }) => (partition === 1 ? 'lost' : undefined)
    const [direct, spooled] = await Promise.all([send(producer, 0, 'a'), send(producer, 1, 'b')])
    expect([direct.isSpooled, spooled.isSpooled]).toEqual([false, true])
    driver.faultOf = () => undefined
    await waitFor(async () => consume(1).lines.length === 1)
  })

  it('refuses records with 503 when the spool is full, stores exactly the acknowledged records, and leaves no gap in the sequences', async () => {
    const producer = await start({ spool: { directory, bytesMax: 1000 } })
    driver.isUp = false
    const acknowledged: string[] = []
    let refusal: unknown
    for (let i = 0; i < 50 && refusal === undefined; i++) {
      try {
        await send(producer, 0, `${i}${'-'.repeat(50)}`)
        acknowledged.push(`${i}${'-'.repeat(50)}`)
      } catch (error) {
        refusal = error
      }
    }
    expect(refusal).toMatchObject({
      code: 'STREAM_SPOOL_FULL',
      kind: 'unavailable',
      httpStatus: 503,
      retryAfterSeconds: 5,
    })
    expect(acknowledged.length).toBeGreaterThan(3)
    driver.isUp = true
    await waitFor(async () => producer.counts().spoolFrames === 0)
    await waitFor(() => Promise.resolve(tryOpen(producer)))
    await send(producer, 0, 'last')
    // It may have gone through the spool.
    await waitFor(async () => consume(0).lines.at(-1) === 'last')
    expect(consume(0)).toEqual({ lines: [...acknowledged, 'last'], gaps: 0 })
  })

  it('stores every acknowledged and no refused record while its spool fills up and the stream comes and goes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('lost' as const, undefined), { minLength: 5, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 10, maxLength: 40 }),
        async (faults, sizes) => {
          driver = createMemoryDriver()
          rmSync(directory, { recursive: true, force: true })
          const producer = await start({ spool: { directory, bytesMax: 700 }, sendAttempts: 1 })
          let next = 0
          driver.faultOf = () => faults[next++]
          const settled: Promise<string | undefined>[] = []
          for (const [index, size] of sizes.entries()) {
            const line = `${index}${'-'.repeat(size)}`
            driver.isUp = index % 13 < 5
            settled.push(
              trySend(producer, index % 2, line).then(
                () => line,
                () => undefined,
              ),
            )
            if (index % 3 === 0) await Promise.allSettled(settled.slice(-1))
          }
          const kept = (await Promise.all(settled)).filter((line) => line !== undefined)
          driver.isUp = true
          await waitFor(async () => producer.counts().spoolFrames === 0, { deadlineMs: 60_000 })
          await producer.close()
          const [zero, one] = [consume(0), consume(1)]
          expect([...zero.lines, ...one.lines].sort()).toEqual(kept.sort())
          expect([zero.gaps, one.gaps]).toEqual([0, 0])
        },
      ),
      { numRuns: 15 },
    )
  })

  it('spools its open batches when it is closed while the stream is down, and the next producer sends these frames first, under the old producer id', async () => {
    const first = await start(withSpool)
    await send(first, 2, 'one')
    driver.isUp = false
    const last = send(first, 2, 'two')
    await first.close()
    expect(await last).toEqual({ partition: 2, sequence: 2, isSpooled: true })
    const second = await start(withSpool)
    expect((await send(second, 2, 'three')).isSpooled).toBe(true)
    driver.isUp = true
    await waitFor(async () => consume(2).lines.length === 3)
    expect(consume(2)).toEqual({ lines: ['one', 'two', 'three'], gaps: 0 })
    expect(framesOf(2).map(({ header }) => header.producer)).toEqual([first.id, first.id, second.id])
  })

  it('sends the frames of an earlier process before newer ones, also if the stream takes frames slowly', async () => {
    const first = await start(withSpool)
    driver.isUp = false
    await send(first, 2, 'earlier')
    await first.close()
    driver.isUp = true
    const append = driver.append.bind(driver)
    driver.append = async (stream, frames) => {
      await new Promise((resolve) => setTimeout(resolve, 200))
      return await append(stream, frames)
    }
    const second = await start(withSpool)
    expect((await send(second, 2, 'newer')).isSpooled).toBe(true)
    await waitFor(async () => consume(2).lines.length === 2)
    expect(consume(2).lines).toEqual(['earlier', 'newer'])
  })

  it('settles all open batches when it is closed, and refuses records afterwards', async () => {
    const producer = await start({ lingerMs: 10_000 })
    const appended = send(producer, 0, 'a')
    await producer.close()
    expect((await appended).sequence).toBe(1)
    expect(() => producer.open(0)).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
  })

  it('keeps the order, loses no acknowledged record and leaves no gap in the sequences under any mix of faults', async () => {
    const fault = fc.constantFrom('ambiguous' as const, 'lost' as const, undefined, undefined)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fault, { minLength: 5, maxLength: 60 }),
        fc.integer({ min: 10, max: 60 }),
        fc.boolean(),
        async (faults, sends, isBroken) => {
          driver = createMemoryDriver()
          rmSync(directory, { recursive: true, force: true })
          const producer = await start({ ...withSpool, sendAttempts: 2, circuitBreaker: { openMs: 20 } })
          let next = 0
          driver.faultOf = () => faults[next++]
          const acknowledged: Promise<string | undefined>[] = []
          for (let i = 0; i < sends; i++) {
            acknowledged.push(
              send(producer, i % 2, `${i}`).then(
                () => `${i}`,
                () => undefined,
              ),
            )
            if (isBroken && i === 5) driver.isUp = false
            if (i === 9) driver.isUp = true
            if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
            if (i % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
          }
          const kept = (await Promise.all(acknowledged)).filter((line) => line !== undefined)
          await waitFor(async () => producer.counts().spoolFrames === 0, { deadlineMs: 60_000 })
          await producer.close()
          for (const partition of [0, 1]) {
            const { lines, gaps } = consume(partition)
            expect(gaps).toBe(0)
            expect(lines).toEqual([...lines].sort((a, b) => Number(a) - Number(b)))
            expect(lines).toEqual(expect.arrayContaining(kept.filter((line) => Number(line) % 2 === partition)))
          }
        },
      ),
      { numRuns: 12 },
    )
  })
})

async function trySend(producer: Producer<LinesBuilder>, partition: number, line: string): Promise<unknown> {
  return await send(producer, partition, line)
}

function tryOpen(producer: Producer<LinesBuilder>): boolean {
  try {
    producer.open(0)
    return true
  } catch {
    return false
  }
}
