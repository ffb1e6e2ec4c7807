import type { Transaction } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import {
  type CommittedNotice,
  type Consumer,
  type ConsumerDeps,
  type ConsumerSettings,
  createMemoryDriver,
  type FrameBatch,
  openProducer,
  type Producer,
  runConsumer,
  type StreamDriver,
} from '@millrace/streams'
import { findTestKafka, useTestKafka } from '@millrace/testing'
import { type Effects, openEffects, type StoringHandler } from './effects.js'
import { openTestKafkaDriver } from './kafka-driver.js'
import { LinesBuilder } from './lines-builder.js'

const PARTITIONS = 4
const QUICK: Partial<ConsumerSettings> = {
  partitions: PARTITIONS,
  // On a busy machine no member may lose its partitions because it or its broker stood still for seconds.
  leaseMs: 15_000,
  heartbeatMs: 100,
  mirrorMs: 50,
  maintenanceMs: 100,
  idleCommitMs: 50,
  retryFirstMs: 10,
  retryCapMs: 100,
  blockMs: 500,
  // A reader that stands still must fail a test: the watchdog would replace it.
  stallAfterMs: 3_600_000,
}

/** An empty stream with four partitions. */
export interface TestStream<Driver extends StreamDriver = StreamDriver> {
  readonly driver: Driver
  readonly stream: string
  /** The name of the consumer group. Default "store". */
  readonly group?: string
}

/** The streams on which tests of consumer groups run: in memory, and in Kafka where there is a broker. */
export const TEST_STREAMS: [name: string, open: () => Promise<TestStream>][] = [
  ['memory', async () => ({ driver: createMemoryDriver(), stream: 'lines' })],
]
if (typeof findTestKafka('consumer groups with Kafka') !== 'string') {
  TEST_STREAMS.push([
    'Kafka',
    async () => {
      const { brokers, prefix } = await useTestKafka()
      const driver = await openTestKafkaDriver(brokers, silentLogger)
      await driver.prepare(`${prefix}-lines`, PARTITIONS)
      // Tests of other files use the same broker at the same time, and each member that joins a group makes the others join again.
      return { driver, stream: `${prefix}-lines`, group: `${prefix}-store` }
    },
  ])
}

interface MemberOptions {
  readonly settings?: Partial<ConsumerSettings>
  readonly deps?: Partial<ConsumerDeps>
}

/** A consumer group of one stream, with a database for the effects of its members and a producer. `release` stops everything. */
export class TestGroup<Driver extends StreamDriver = StreamDriver> {
  readonly driver: Driver
  readonly stream: string
  readonly name: string
  readonly effects: Effects
  readonly producer: Producer<LinesBuilder>
  /** What all members have reported as committed. */
  readonly notices: CommittedNotice[] = []
  readonly #settings: Partial<ConsumerSettings>
  readonly #members: Consumer[] = []

  private constructor(
    { driver, stream, group = 'store' }: TestStream<Driver>,
    settings: Partial<ConsumerSettings>,
    { effects, producer }: { readonly effects: Effects; readonly producer: Producer<LinesBuilder> },
  ) {
    this.driver = driver
    this.stream = stream
    this.name = group
    this.#settings = settings
    this.effects = effects
    this.producer = producer
  }

  /** @param settings of all members, above QUICK */
  static async open<Driver extends StreamDriver>(
    opened: TestStream<Driver>,
    settings: Partial<ConsumerSettings> = {},
  ): Promise<TestGroup<Driver>> {
    const [effects, producer] = [await openEffects(), await openLinesProducer(opened)]
    return new TestGroup(opened, { ...QUICK, ...settings }, { effects, producer })
  }

  async release(): Promise<void> {
    for (const member of this.#members) await member.stop()
    await this.producer.close()
    await this.driver.close()
    await this.effects.release()
  }

  async start(handler: StoringHandler, member = 'a', { settings, deps }: MemberOptions = {}): Promise<Consumer> {
    const consumer = await runConsumer<FrameBatch, Transaction>(
      {
        driver: this.driver,
        stream: this.stream,
        group: this.name,
        member,
        database: this.effects.database,
        handler,
        settings: { ...this.#settings, ...settings },
      },
      { logger: silentLogger, onCommitted: (notices) => this.notices.push(...notices), ...deps },
    )
    this.#members.push(consumer)
    return consumer
  }

  /** Resolves when the stream has the lines. */
  async send(partition: number, ...lines: string[]) {
    const { builder, appended } = this.producer.open(partition)
    for (const line of lines) builder.add(line)
    return await appended
  }
}

export function openLinesProducer({ driver, stream }: TestStream): Promise<Producer<LinesBuilder>> {
  return openProducer(
    { stream, partitions: PARTITIONS, createBuilder: () => new LinesBuilder(), lingerMs: 1 },
    { driver, logger: silentLogger },
  )
}
