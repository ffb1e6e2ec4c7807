import { afterEach, describe, expect, it } from '@jest/globals'
import { BEGINNING } from '../../driver/stream-driver.js'
import type { FetchedPartition, FetchRequest, KafkaFetcher } from './kafka-client.js'
import { KafkaReader } from './reader.js'

const WAITING = { framesMax: 100, bytesMax: 1_000_000, blockMs: 200 }
const AT_ONCE = { ...WAITING, blockMs: 0 }

/** A broker with one message in each partition; partitions without a leader are in no answer. */
class FakeFetcher implements KafkaFetcher {
  readonly leaderOf = new Map([
    [0, 1],
    [1, 1],
  ])
  refreshes = 0
  /** The answer for a partition instead of its message. */
  answer: (request: FetchRequest) => FetchedPartition | undefined = () => undefined

  async leaders() {
    return this.leaderOf
  }

  async refresh() {
    this.refreshes++
  }

  async fetch(_node: number, _topic: string, requests: readonly FetchRequest[], { maxWaitMs }: { maxWaitMs: number }) {
    const answers = requests.map((request) => this.answer(request) ?? messageAt0(request))
    const isEmpty = answers.every((answer) => answer.kind === 'messages' && answer.messages.length === 0)
    await new Promise((resolve) => setTimeout(resolve, isEmpty ? maxWaitMs : 1))
    return answers
  }

  async close() {}
}

/** Broker 1 does not answer until `release`. */
class HangingFetcher extends FakeFetcher {
  release: () => void = () => undefined
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve
  })

  constructor() {
    super()
    this.leaderOf.set(1, 2)
  }

  override async fetch(
    node: number,
    topic: string,
    requests: readonly FetchRequest[],
    options: { maxWaitMs: number },
  ): Promise<FetchedPartition[]> {
    if (node === 1) await this.#released
    return await super.fetch(node, topic, requests, options)
  }
}

function messageAt0({ partition, offset }: FetchRequest): FetchedPartition {
  const messages = offset === 0 ? [{ offset: 0, timestampMs: 1, value: Buffer.from('frame') }] : []
  return { partition, kind: 'messages', messages, nextOffset: 1, highWatermark: 1, logStart: 0 }
}

describe('the reader of Kafka', () => {
  const readers: KafkaReader[] = []

  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.close()
  })

  function open(openFetcher: () => Promise<KafkaFetcher>): KafkaReader {
    const offsets = async (partition: number) => ({ partition, earliest: 0, latest: 1 })
    const reader = new KafkaReader({ topic: 'lines', openFetcher, offsets, closed: () => undefined })
    readers.push(reader)
    return reader
  }

  it('reads the other partitions while one partition has no leader, and that one when it has a leader again', async () => {
    const fetcher = new FakeFetcher()
    fetcher.leaderOf.delete(0)
    const reader = open(async () => fetcher)
    reader.seek(0, BEGINNING)
    reader.seek(1, BEGINNING)
    expect((await reader.read(WAITING)).map(({ partition }) => partition)).toEqual([1])
    expect(await reader.read(WAITING)).toEqual([])
    expect(fetcher.refreshes).toBeGreaterThan(0)
    fetcher.leaderOf.set(0, 1)
    expect((await reader.read(WAITING)).map(({ partition }) => partition)).toEqual([0])
  })

  it('does not say that a partition without a leader has no frames', async () => {
    const fetcher = new FakeFetcher()
    fetcher.leaderOf.delete(0)
    const reader = open(async () => fetcher)
    reader.seek(0, BEGINNING)
    await expect(reader.read(AT_ONCE)).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
    await expect(reader.read(WAITING)).rejects.toThrow('partition 0 has no leader')
  })

  it('returns from a read that may not wait although a broker hangs that leads other partitions', async () => {
    const fetcher = new HangingFetcher()
    const reader = open(async () => fetcher)
    reader.seek(0, BEGINNING)
    reader.seek(1, BEGINNING)
    expect((await reader.read(AT_ONCE)).map(({ partition }) => partition)).toEqual([1])
    expect(await reader.read(AT_ONCE)).toEqual([])
    expect(await reader.read(AT_ONCE)).toEqual([])
    fetcher.release()
    expect((await reader.read(WAITING)).map(({ partition }) => partition)).toEqual([0])
  })

  it('does not say that there are no frames when the only broker that was asked hangs', async () => {
    const fetcher = new HangingFetcher()
    const reader = open(async () => fetcher)
    reader.seek(0, BEGINNING)
    const reading = reader.read(AT_ONCE)
    const late = new Promise((resolve) => setTimeout(resolve, 1000, 'waits'))
    expect(await Promise.race([reading, late])).toBe('waits')
    fetcher.release()
    expect(await reading).toHaveLength(1)
  })

  it('holds a bounded number of bytes, however many partitions have frames and however slow its caller is', async () => {
    const fetcher = new FakeFetcher()
    const one = fetcher.fetch.bind(fetcher)
    let fetched = 0
    fetcher.fetch = async (node, topic, requests, options) => {
      // As from a broker that has many frames of each partition: the first one fills the answer.
      fetcher.answer = ({ partition, offset, bytesMax }) => {
        const isFirst = partition === requests[0]?.partition
        if (isFirst) fetched += bytesMax
        const frames = isFirst ? 64 : 0
        const value = Buffer.alloc(bytesMax / 64)
        const messages = Array.from({ length: frames }, (_, index) => ({
          offset: offset + index,
          timestampMs: 1,
          value,
        }))
        const nextOffset = offset + frames
        return { partition, kind: 'messages', messages, nextOffset, highWatermark: 100_000, logStart: 0 }
      }
      return await one(node, topic, requests, options)
    }
    const reader = open(async () => fetcher)
    for (let partition = 0; partition < 200; partition++) {
      fetcher.leaderOf.set(partition, 1)
      reader.seek(partition, BEGINNING)
    }
    let returned = 0
    let heldMax = 0
    for (let reads = 0; reads < 50; reads++) {
      const frames = await reader.read({ ...WAITING, bytesMax: 16 * 1024 ** 2, framesMax: 1 })
      returned += frames.reduce((sum, { bytes }) => sum + bytes.length, 0)
      await new Promise((resolve) => setTimeout(resolve, 5))
      heldMax = Math.max(heldMax, fetched - returned)
    }
    expect(returned).toBeGreaterThan(0)
    // What it holds when it stops asking, and an answer of every broker on each of two lanes.
    expect(heldMax).toBeLessThanOrEqual((8 + 2 * 12) * 1024 ** 2 + 200)
  })

  it('opens its connections again after that has failed', async () => {
    const fetcher = new FakeFetcher()
    let failures = 3
    const reader = open(async () => {
      if (failures-- > 0) throw new Error('no connection')
      return fetcher
    })
    reader.seek(0, BEGINNING)
    await expect(reader.read(WAITING)).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
    failures = 0
    expect(await reader.read(WAITING)).toHaveLength(1)
  })

  it('closes although its connections cannot be opened', async () => {
    const reader = open(() => Promise.reject(new Error('no connection')))
    reader.seek(0, BEGINNING)
    await expect(reader.read(AT_ONCE)).rejects.toMatchObject({ code: 'STREAM_UNAVAILABLE' })
    await reader.close()
  })

  it('does not report an error of a partition that was sought elsewhere meanwhile', async () => {
    const fetcher = new FakeFetcher()
    fetcher.answer = ({ partition, offset }) =>
      offset === 0 ? { partition, kind: 'failed', cause: new Error('corrupt') } : undefined
    const reader = open(async () => fetcher)
    reader.seek(0, BEGINNING)
    const reading = reader.read(WAITING)
    await new Promise((resolve) => setImmediate(resolve))
    reader.seek(0, '0')
    expect(await reading).toEqual([])
    expect(await reader.read(WAITING)).toEqual([])
  })
})
