import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SECOND_MS } from '@millrace/contracts'
import { createLogger } from '@millrace/logger'
import { createMetrics } from '@millrace/telemetry'
import { findTestKafka, startTestKafka, waitFor } from '@millrace/testing'
import { completeSettings } from '../src/consumer/complete-settings.js'
import type { ConsumerContext } from '../src/consumer/consumer-context.js'
import { ConsumerMetrics } from '../src/consumer/consumer-metrics.js'
import type { SqlTransaction } from '../src/consumer/database-port.js'
import { findExpiringPartitions } from '../src/consumer/find-expiring-partitions.js'
import type { FlushedPosition } from '../src/consumer/group-table.js'
import { PartitionState } from '../src/consumer/partition-state.js'
import { StreamTrimmer } from '../src/consumer/stream-trimmer.js'
import type { StreamDriver } from '../src/driver/stream-driver.js'
import { openStreamDriver } from '../src/drivers/open-stream-driver.js'
import { encodeFrame, parseProducerId } from '../src/frame/frame.js'

const program = findTestKafka('retention and trimming on Kafka')
const describeWithKafka = typeof program === 'string' ? describe.skip : describe
const TEST_MS = 240_000
const PASSWORD = 'secret'
const WINDOW_MS = 3600 * SECOND_MS

describeWithKafka('the trimming of a stream on Kafka', () => {
  let server: Awaited<ReturnType<typeof startTestKafka>>
  const drivers: StreamDriver[] = []
  const lines: string[] = []
  const logger = createLogger({ service: 'test', write: (line) => void lines.push(line) })
  beforeAll(async () => {
    const denials = [
      { user: 'reader', operation: 'Delete' },
      { user: 'guest', operation: 'Write' },
    ] as const
    const users = { owner: PASSWORD, reader: PASSWORD, guest: PASSWORD }
    server = await startTestKafka({ security: { users, denials } })
  }, TEST_MS)
  afterAll(async () => {
    for (const driver of drivers) await driver.close()
    await server.stop()
  })

  async function open(user: string): Promise<StreamDriver> {
    const driver = await openStreamDriver(
      {
        STREAM_DRIVER: 'kafka',
        KAFKA_BROKERS: [server.brokers],
        KAFKA_SASL_MECHANISM: 'plain',
        KAFKA_SASL_USERNAME: user,
        KAFKA_SASL_PASSWORD: { reveal: () => PASSWORD },
      },
      { redis: undefined, logger },
    )
    drivers.push(driver)
    return driver
  }

  /** Appends frames of one record and returns their positions. */
  async function append(driver: StreamDriver, stream: string, frames: number): Promise<string[]> {
    const positions: string[] = []
    for (let sequence = 1; sequence <= frames; sequence++) {
      const frame = encodeFrame({
        producer: parseProducerId('00000000-0000-4000-8000-000000000001'),
        sequence,
        records: 1,
        cumulativeRecords: sequence,
        flags: 0,
        firstTimeMs: 0,
        lastTimeMs: 0,
        payload: Buffer.from('x'),
      })
      await waitFor(async () => {
        const [result] = await driver.append(stream, [{ partition: 0, frame }])
        if (result?.kind === 'held') positions.push(result.position)
        return result?.kind === 'held'
      })
    }
    return positions
  }

  /** A trimmer that keeps two records, for groups at these positions. */
  function createTrimmer(driver: StreamDriver, stream: string, groups: readonly string[]) {
    const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
    const flushed = groups.map((position): FlushedPosition => ({ partition: 0, position, watermarkMs: Date.now() }))
    const context = {
      config: { driver, stream },
      settings: completeSettings({ partitions: 1, windowRecords: 2, windowMs: WINDOW_MS, maintenanceMs: 0 }),
      table: { flushedPositions: async () => flushed },
      metrics: new ConsumerMetrics(metrics).of(stream, 'store'),
      logger,
      now: () => performance.now(),
    } as unknown as ConsumerContext<unknown, SqlTransaction>
    const row = { partition: 0, epoch: 1, position: '', nextOrdinal: 0, frames: 0, flushedPosition: '' }
    const state = new PartitionState({ ...row, flushedOrdinal: 0, watermarkMs: undefined }, [], false)
    const trimmer = new StreamTrimmer(context)
    return { trim: () => trimmer.run(new Map([[0, state]])), expose: () => metrics.expose() }
  }

  const firstOf = async (driver: StreamDriver, stream: string) => (await driver.describe(stream, [0]))[0]?.first

  it(
    'a stream keeps its window, and frames that the slowest group has not flushed',
    async () => {
      const driver = await open('owner')
      await driver.prepare('trimmed', 1, WINDOW_MS)
      expect(await driver.retentionMs?.('trimmed')).toBeUndefined()
      const [, second, , , , sixth] = await append(driver, 'trimmed', 6)
      await createTrimmer(driver, 'trimmed', [sixth as string, second as string]).trim()
      expect(await firstOf(driver, 'trimmed')).toBe(second)
      await createTrimmer(driver, 'trimmed', [sixth as string, sixth as string]).trim()
      expect((await driver.describe('trimmed', [0]))[0]?.frames).toBe(2)
    },
    TEST_MS,
  )

  it(
    'a frame of a client that may not write is not stored, and the reason names the missing right',
    async () => {
      const owner = await open('owner')
      await owner.prepare('guarded', 1, WINDOW_MS)
      const guest = await open('guest')
      const [result] = await guest.append('guarded', [{ partition: 0, frame: Buffer.from('x') }])
      expect(result).toMatchObject({ kind: 'unavailable', isAmbiguous: false })
      expect(result?.kind === 'unavailable' && result.cause.message).toContain('TOPIC_AUTHORIZATION_FAILED')
      expect((await owner.describe('guarded', [0]))[0]?.framesEver).toBe(0)
    },
    TEST_MS,
  )

  it(
    'where the client may not delete records, the topic gets the window as its retention, and an alarm tells when a group has not flushed frames that will soon be removed',
    async () => {
      const driver = await open('reader')
      await driver.prepare('kept', 1, WINDOW_MS)
      expect(await driver.retentionMs?.('kept')).toBe(WINDOW_MS)
      const [first, , third] = await append(driver, 'kept', 3)
      const current = createTrimmer(driver, 'kept', [third as string])
      await current.trim()
      expect(await firstOf(driver, 'kept')).toBe(first)
      const metric = (value: number) => new RegExp(`millrace_stream_expiring_partitions\\{.*\\} ${value}\\n`)
      const behind = createTrimmer(driver, 'kept', [third as string, first as string])
      await behind.trim()
      expect(await behind.expose()).toMatch(metric(0))
      // The frames reach 70 % of a retention of 4 s while the test waits.
      const config = ['--entity-type', 'topics', '--entity-name', 'millrace.kept', '--add-config', 'retention.ms=4000']
      await server.tool('kafka-configs', '--alter', ...config)
      await waitFor(async () => {
        await behind.trim()
        return metric(1).test(await behind.expose())
      })
      const flushed = (position: string | undefined) => [{ partition: 0, position: position as string }]
      // Health finds them also while no consumer runs.
      expect((await findExpiringPartitions(driver, 'kept', flushed(first))).partitions).toEqual([0])
      expect((await findExpiringPartitions(driver, 'kept', flushed(third))).partitions).toEqual([])
      await current.trim()
      expect(await current.expose()).toMatch(metric(0))
      await waitFor(async () => lines.some((line) => line.includes('will soon remove frames')))
    },
    TEST_MS,
  )
})
