import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { streamTopic } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { BEGINNING, openStreamDriver, type StoredFrame, type StreamDriver, type StreamReader } from '@millrace/streams'
import { describeDriver } from '@millrace/streams/testing'
import { findTestKafka, startTestKafka, waitFor, within } from '@millrace/testing'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'

const describeWithKafka = typeof findTestKafka('the Kafka driver') === 'string' ? describe.skip : describe
const LIMITS = { framesMax: 100, bytesMax: 16 * 1024 * 1024, blockMs: 20_000 }
/** Far more than a call takes that limits its time, and far less than kafkajs waits by itself. */
const BOUNDED_MS = 8_000

describeWithKafka('the Kafka driver', () => {
  let server: Awaited<ReturnType<typeof startTestKafka>>
  let peer: Kafka
  let admin: Admin
  let driver: StreamDriver
  let stream: string
  let readers: StreamReader[] = []
  let streams = 0

  beforeAll(async () => {
    server = await startTestKafka()
    peer = new kafkajs.Kafka({ brokers: [server.brokers], clientId: 'peer', logLevel: kafkajs.logLevel.NOTHING })
    admin = peer.admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin.disconnect()
    await server.stop()
  })
  beforeEach(async () => {
    driver = await open()
    stream = `kafka-${++streams}`
  })
  afterEach(async () => {
    for (const reader of readers) await reader.close()
    readers = []
    await driver.close()
  })

  const open = (
    settings: { readonly KAFKA_REPLICATION_FACTOR?: number; readonly KAFKA_MIN_INSYNC_REPLICAS?: number } = {},
  ) =>
    openStreamDriver(
      { STREAM_DRIVER: 'kafka', KAFKA_BROKERS: [server.brokers], ...settings },
      { redis: undefined, logger: silentLogger },
    )
  const append = async (...frames: (string | Buffer)[]) => {
    const positions: string[] = []
    for (const frame of frames) {
      const [result] = await driver.append(stream, [{ partition: 0, frame: Buffer.from(frame) }])
      if (result?.kind !== 'held') throw new Error(`not held: ${JSON.stringify(result)}`)
      positions.push(result.position)
    }
    return positions
  }
  const appendOnce = async (frame: string | Buffer) =>
    (await driver.append(stream, [{ partition: 0, frame: Buffer.from(frame) }]))[0]
  const reading = async (after: string) => {
    const reader = await driver.openReader(stream)
    readers.push(reader)
    reader.seek(0, after)
    return reader
  }
  const readAll = async (reader: StreamReader, frames: number) => {
    const read: StoredFrame[] = []
    await waitFor(async () => {
      read.push(...(await reader.read(LIMITS)))
      return read.length >= frames
    })
    return read
  }
  /** Creates the topic of the stream as an operator would. */
  const createTopic = async (numPartitions: number, configs: Record<string, string> = {}) => {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const topic = streamTopic(stream)
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions, configEntries }] })
    await waitFor(async () => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      return topics[0]?.partitions.every(({ leader }) => leader >= 0)
    })
  }
  /** On a busy machine a broker may take longer for a request than the driver waits. */
  const prepare = (partitions: number) =>
    waitFor(async () => {
      await driver.prepare(stream, partitions)
      return true
    })
  const deleteTopic = async () => {
    await admin.deleteTopics({ topics: [streamTopic(stream)] })
    await waitFor(async () => !(await admin.listTopics()).includes(streamTopic(stream)))
  }

  describe('the topic', () => {
    it('is created so that Kafka loses no frame by itself', async () => {
      await prepare(3)
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: streamTopic(stream) }],
      })
      const configs = resources.flatMap(({ configEntries }) => configEntries)
      expect(Object.fromEntries(configs.map(({ configName, configValue }) => [configName, configValue]))).toMatchObject(
        {
          'cleanup.policy': 'delete',
          'retention.ms': '-1',
          'retention.bytes': '-1',
          'unclean.leader.election.enable': 'false',
          'message.timestamp.type': 'CreateTime',
        },
      )
      expect((await admin.fetchTopicOffsets(streamTopic(stream))).length).toBe(3)
    })

    it('is accepted when it exists with more partitions than are used', async () => {
      await createTopic(5)
      await prepare(3)
      await prepare(3)
      expect(await append('a')).toEqual(['0'])
    })

    it('is refused in one error that names everything because of which it would lose or refuse frames', async () => {
      await createTopic(2, {
        'cleanup.policy': 'compact',
        'compression.type': 'zstd',
        'max.message.bytes': '1000000',
        'min.insync.replicas': '2',
      })
      const prepared = driver.prepare(stream, 3)
      await expect(prepared).rejects.toMatchObject({ code: 'STREAM_CONFIG' })
      await expect(prepared).rejects.toThrow(
        /2 partitions, and 3 are needed.*min\.insync\.replicas is 2.*only 1 replicas.*cleanup\.policy is compact.*compression\.type is zstd.*max\.message\.bytes/,
      )
    })

    it('is refused when it has fewer replicas than the settings ask for', async () => {
      await createTopic(3, { 'max.message.bytes': String(32 * 1024 * 1024) })
      const strict = await open({ KAFKA_REPLICATION_FACTOR: 3 })
      await expect(strict.prepare(stream, 3)).rejects.toThrow(/1 replicas, and KAFKA_REPLICATION_FACTOR asks for 3/)
      await strict.close()
    })

    it('has lost its frames when it was deleted and created again: `describe` ends before the position, and a read fails', async () => {
      await prepare(2)
      const positions = await append('a', 'b', 'c')
      const reader = await reading(positions[2] as string)
      expect(await reader.read({ ...LIMITS, blockMs: 0 })).toEqual([])
      await deleteTopic()
      expect((await appendOnce('lost'))?.kind).toBe('unavailable')
      await prepare(2)
      await waitFor(async () => (await appendOnce('new'))?.kind === 'held')
      const [description] = await driver.describe(stream, [0])
      expect(driver.comparePositions(description?.last as string, positions[2] as string)).toBeLessThan(0)
      await waitFor(() =>
        reader.read({ ...LIMITS, blockMs: 500 }).then(
          () => false,
          (error) => error.code === 'STREAM_UNAVAILABLE',
        ),
      )
      reader.seek(0, BEGINNING)
      const frames: StoredFrame[] = []
      await waitFor(async () => {
        frames.push(...(await reader.read({ ...LIMITS, blockMs: 500 }).catch(() => [])))
        return frames.length > 0
      })
      expect(frames[0]?.bytes.toString()).toBe('new')
      expect(await driver.trim(stream, 0, { before: '7' })).toBe(0)
    })
  })

  describe('a connection', () => {
    it('runs no timer while it is idle', async () => {
      const timers = () => process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
      const before = timers()
      await prepare(1)
      await append('a')
      await driver.memory()
      await waitFor(() => timers() <= before)
    })
  })

  describe('an append', () => {
    it('of a frame that is too large for the topic was not stored, and does not take the other frames with it', async () => {
      await createTopic(2, { 'max.message.bytes': '2000' })
      const results = await driver.append(stream, [
        { partition: 0, frame: Buffer.alloc(5000) },
        { partition: 1, frame: Buffer.alloc(500) },
      ])
      expect(results).toMatchObject([
        { kind: 'unavailable', isAmbiguous: false },
        { kind: 'held', position: '0' },
      ])
    })

    it('to a topic that does not exist fails and does not create it', async () => {
      expect((await appendOnce('a'))?.kind).toBe('unavailable')
      expect(await admin.listTopics()).not.toContain(streamTopic(stream))
    })
  })

  describe('a reader', () => {
    it('opens no further connections for the newest frames, which consumers look at every second', async () => {
      await prepare(1)
      await append('a', 'b')
      const newest = async () => (await driver.tail(stream, 0, 2)).map(({ bytes }) => bytes.toString())
      expect(await newest()).toEqual(['b', 'a'])
      let connections = 0
      const count = () => void connections++
      subscribe('net.client.socket', count)
      try {
        await append('c')
        for (let time = 0; time < 3; time++) expect(await newest()).toEqual(['c', 'b'])
      } finally {
        unsubscribe('net.client.socket', count)
      }
      expect(connections).toBe(0)
    })

    it('goes on with the oldest frame that is left when frames were trimmed before it read them', async () => {
      await prepare(1)
      const positions = await append('a', 'b', 'c', 'd')
      const reader = await reading(BEGINNING)
      expect((await reader.read({ ...LIMITS, framesMax: 1 })).length).toBe(1)
      const late = await reading(positions[0] as string)
      expect(await driver.trim(stream, 0, { before: positions[3] as string })).toBe(3)
      expect((await readAll(late, 1)).map(({ bytes }) => bytes.toString())).toEqual(['d'])
    })

    it('returns frames of 8 MiB whole, whatever the limit of a read', async () => {
      await prepare(1)
      const frame = Buffer.alloc(8 * 1024 * 1024, 'millrace')
      await append(frame, 'small', frame)
      const read: StoredFrame[] = []
      const reader = await reading(BEGINNING)
      await waitFor(async () => {
        read.push(...(await reader.read({ ...LIMITS, bytesMax: 1000 })))
        return read.length >= 3
      })
      expect(read.map(({ bytes }) => bytes.length)).toEqual([frame.length, 5, frame.length])
      expect(read[2]?.bytes.equals(frame)).toBe(true)
    })

    it('returns messages of other producers like frames, which the consumer will skip, and reads the messages after them', async () => {
      await prepare(1)
      const topic = streamTopic(stream)
      const producer = peer.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
      await producer.connect()
      const messages = [
        { partition: 0, key: 'k', value: 'with key', headers: { h: 'v' } },
        { partition: 0, value: null },
        { partition: 0, value: '' },
      ]
      await producer.send({ topic, messages })
      await producer.send({ topic, messages, compression: kafkajs.CompressionTypes.GZIP })
      await producer.disconnect()
      await append('ours')
      const read = await readAll(await reading(BEGINNING), 7)
      expect(read.map(({ bytes }) => bytes.toString())).toEqual(['with key', '', '', 'with key', '', '', 'ours'])
      expect(read.map(({ position }) => position)).toEqual(['0', '1', '2', '3', '4', '5', '6'])
      const middle = await readAll(await reading('3'), 3)
      expect(middle.map(({ position }) => position)).toEqual(['4', '5', '6'])
    })

    it('goes on behind the markers of transactions, and is not stopped by a transaction that is open', async () => {
      await prepare(1)
      const topic = streamTopic(stream)
      const producer = peer.producer({
        createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
        transactionalId: `tx-${stream}`,
        maxInFlightRequests: 1,
        idempotent: true,
      })
      await producer.connect()
      const first = await producer.transaction()
      await first.send({ topic, messages: [{ partition: 0, value: 'committed' }] })
      await first.commit()
      const second = await producer.transaction()
      await second.send({ topic, messages: [{ partition: 0, value: 'open' }] })
      await append('ours')
      const read = await readAll(await reading(BEGINNING), 4)
      expect(read.map(({ bytes }) => bytes.toString())).toEqual(['committed', '', 'open', 'ours'])
      await second.abort()
      await producer.disconnect()
      // The newest message is a marker now: a consumer must get there, or its partition would never count as read to the end.
      const last = await waitFor(async () => {
        const [description] = await driver.describe(stream, [0])
        return description?.frames === 5 && description.last
      })
      const rest = await readAll(await reading(read[3]?.position as string), 1)
      expect(rest.map(({ position }) => position)).toEqual([last])
    })
  })

  describeDriver('Kafka', async () => ({
    driver: await open(),
    stream: `conformance-${++streams}`,
    takeDown: () => server.kill(),
    bringUp: () => server.restart(),
    release: async () => undefined,
  }))

  // The last test: a controller takes a broker that went on after a while for a dead one, for a moment.
  describe('an append', () => {
    it('returns in bounded time while the broker hangs, and so does every other call; all work again when it goes on', async () => {
      await prepare(1)
      const [first] = await append('before')
      const reader = await reading(first as string)
      await server.pause()
      try {
        for (let i = 0; i < 3; i++) {
          expect((await within(BOUNDED_MS, appendOnce('during')))?.kind).toBe('unavailable')
        }
        const unavailable = { code: 'STREAM_UNAVAILABLE' }
        await expect(within(BOUNDED_MS, driver.describe(stream, [0]))).rejects.toMatchObject(unavailable)
        await expect(within(BOUNDED_MS, driver.memory())).rejects.toMatchObject(unavailable)
        await expect(within(BOUNDED_MS, reader.read(LIMITS))).rejects.toMatchObject(unavailable)
      } finally {
        await server.resume()
      }
      await waitFor(async () => (await appendOnce('after'))?.kind === 'held')
      const seen: string[] = []
      await waitFor(async () => {
        const frames = await reader.read({ ...LIMITS, blockMs: 100 }).catch(() => [])
        seen.push(...frames.map(({ bytes }) => bytes.toString()))
        return seen.includes('after')
      })
      expect(seen).not.toContain('before')
    })
  })
})
