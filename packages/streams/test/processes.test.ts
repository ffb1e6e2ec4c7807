import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { createRedisDriver, openProducer, type Producer, type StreamDriver } from '@millrace/streams'
import { findTestKafka, startTestKafka, startTestRedisServer, waitFor } from '@millrace/testing'
import { type Effects, openEffects } from './effects.js'
import { openTestKafkaDriver } from './kafka-driver.js'
import { LinesBuilder } from './lines-builder.js'

type KafkaServer = Awaited<ReturnType<typeof startTestKafka>>

interface Member {
  readonly child: ChildProcess
  output: string
}

/** Most lines that may wait: some seconds of work on a slow machine. */
const BACKLOG_MAX = 2000

interface OpenedStream {
  /** For consumer-process.mjs: the kind of the stream, its address and its name. */
  readonly args: readonly [kind: 'redis' | 'kafka', url: string, stream: string]
  readonly driver: StreamDriver
  /** Kills the server; `restart` starts it again with the same frames. */
  kill(): Promise<void>
  restart(): Promise<void>
  release(): Promise<void>
}

const STREAMS: [name: string, open: () => Promise<OpenedStream>][] = [['Redis', openRedisStream]]
if (typeof findTestKafka('consumer processes with Kafka') !== 'string') STREAMS.push(['Kafka', openKafkaStream])

describe.each(STREAMS)('consumer processes (%s)', (_, open) => {
  let effects: Effects
  let opened: OpenedStream
  let directory: string
  let producer: Producer<LinesBuilder>
  let members: Member[]

  afterAll(async () => {
    await (await kafka)?.stop()
    kafka = undefined
  })
  beforeEach(async () => {
    effects = await openEffects()
    opened = await open()
    const { args, driver } = opened
    directory = mkdtempSync(join(tmpdir(), 'millrace-processes-'))
    producer = await openProducer(
      {
        stream: args[2],
        partitions: 4,
        createBuilder: () => new LinesBuilder(),
        lingerMs: 2,
        // Takes the frames while the server is down.
        spool: { directory },
      },
      { driver, logger: silentLogger },
    )
    members = []
  })
  afterEach(async () => {
    for (const { child } of members) await kill(child)
    await producer.close()
    rmSync(directory, { recursive: true, force: true })
    await opened.release()
    await effects.release()
  })

  const start = async (name: string): Promise<Member> => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'consumer-process.mjs'), ...opened.args, effects.url, name],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const member = { child, output: '' }
    child.stdout.on('data', (chunk: Buffer) => (member.output += chunk.toString()))
    members.push(member)
    await waitFor(async () => member.output.includes('running'), { deadlineMs: 60_000 })
    return member
  }
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.kill('SIGKILL')
    await ended
  }
  /** Sends numbered lines until `stop`, line n to partition n modulo 4, no faster than the consumers store them. */
  const load = () => {
    const sent: string[] = []
    let isStopped = false
    const running = (async () => {
      while (!isStopped) {
        await waitFor(async () => isStopped || sent.length - (await effects.count()) <= BACKLOG_MAX, {
          deadlineMs: 120_000,
          intervalMs: 50,
          what: 'a smaller backlog',
        })
        for (let i = 0; i < 50; i++) {
          producer.open(sent.length % 4).builder.add(`${sent.length}`)
          sent.push(`${sent.length}`)
          // Spreads the load over the time in which members are killed and suspended.
          if (i % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 6))
        }
      }
    })()
    return {
      stop: async () => {
        isStopped = true
        await running
        await producer.flush()
        return sent
      },
    }
  }
  const expectExactly = async (sent: readonly string[]) => {
    await effects.untilCount(sent.length)
    for (const [partition, lines] of await effects.lines())
      expect(lines).toEqual(sent.filter((line) => Number(line) % 4 === partition))
    expect(await effects.count()).toBe(sent.length)
  }

  it('store every record once and in order while one of them is suspended beyond its lease and resumed, repeatedly', async () => {
    const frozen = await start('frozen')
    const other = await start('other')
    const running = load()
    await effects.untilCount(200)
    for (let round = 0; round < 3; round++) {
      const { length } = frozen.output
      await waitFor(async () => (await owners()).some((owner) => owner.startsWith('frozen')), { what: 'its share' })
      frozen.child.kill('SIGSTOP')
      await waitFor(async () => (await owners()).every((owner) => owner.startsWith('other')), {
        what: 'the take-over',
      })
      // Each round the other member has come further when the suspended one continues.
      await effects.untilCount((await effects.count()) + 200 * round)
      frozen.child.kill('SIGCONT')
      // It learns of it from its heartbeat, or from the loss of the transaction in which it was suspended.
      await waitFor(
        () =>
          /another member has taken over a partition|a batch failed|no longer in the consumer group/.test(
            frozen.output.slice(length),
          ),
        { what: 'the notice that it was fenced' },
      )
    }
    await expectExactly(await running.stop())
    expect(other.child.exitCode).toBeNull()
  })

  it('store every record once and in order while they are killed at random and replaced', async () => {
    const running = load()
    let [one, two] = [await start('one'), await start('two')]
    for (let round = 0; round < 3; round++) {
      const before = await effects.count()
      // The time itself matters: after a condition such as a stored record, each kill would hit a member at the same point of its work.
      await new Promise((resolve) => setTimeout(resolve, 50 + 230 * round))
      await kill(one.child)
      ;[one, two] = [two, await start(`next-${round}`)]
      await effects.untilCount(before + 1)
    }
    await expectExactly(await running.stop())
  })

  it('store every record once and in order while the server of the stream is killed and started again as a member joins', async () => {
    await start('one')
    const running = load()
    await effects.untilCount(200)
    const joining = start('two')
    await opened.kill()
    await opened.restart()
    await joining
    const before = await effects.count()
    await effects.untilCount(before + 200)
    await waitFor(async () => (await owners()).some((owner) => owner.startsWith('two')), {
      what: 'a share of the new member',
    })
    await expectExactly(await running.stop())
  })

  async function owners(): Promise<string[]> {
    const { rows } = await effects.database.query<{ owner: string | null }>('select owner from stream_partitions')
    return rows.map(({ owner }) => owner ?? '')
  }
})

async function openRedisStream(): Promise<OpenedStream> {
  const server = await startTestRedisServer()
  const redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
  return {
    args: ['redis', server.url, 'lines'],
    driver: createRedisDriver({}, { redis }),
    kill: () => server.kill(),
    restart: () => server.restart(),
    release: async () => {
      await redis.close()
      await server.stop()
    },
  }
}

/** One broker for all tests of this file, with a topic for each. */
let kafka: Promise<KafkaServer> | undefined
let topics = 0

async function openKafkaStream(): Promise<OpenedStream> {
  kafka ??= startTestKafka()
  const server = await kafka
  const driver = await openTestKafkaDriver(server.brokers, silentLogger)
  const stream = `lines-${++topics}`
  await driver.prepare(stream, 4)
  return {
    args: ['kafka', server.brokers, stream],
    driver,
    kill: () => server.kill(),
    restart: () => server.restart(),
    release: () => driver.close(),
  }
}
