import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createRedisDriver, openProducer, type Producer } from '@millrace/streams'
import { createTestRedis, type TestRedis, waitFor } from '@millrace/testing'
import { type Effects, openEffects } from './effects.js'
import { LinesBuilder } from './lines-builder.js'

interface Member {
  readonly child: ChildProcess
  output: string
}

/** Most lines that may wait: some seconds of work on a slow machine. */
const BACKLOG_MAX = 2000

describe('consumer processes', () => {
  let effects: Effects
  let server: TestRedis
  let redis: RedisConnection
  let producer: Producer<LinesBuilder>
  let members: Member[]

  beforeEach(async () => {
    effects = await openEffects()
    server = await createTestRedis()
    redis = await openRedis({ url: server.url, name: 'stream' }, { logger: silentLogger })
    producer = await openProducer(
      { stream: 'lines', partitions: 4, createBuilder: () => new LinesBuilder(), lingerMs: 2 },
      { driver: createRedisDriver({}, { redis }), logger: silentLogger },
    )
    members = []
  })
  afterEach(async () => {
    for (const { child } of members) await kill(child)
    await producer.close()
    await redis.close()
    await server.release()
    await effects.release()
  })

  const start = async (name: string): Promise<Member> => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'consumer-process.mjs'), server.url, effects.url, name],
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
        if (sent.length - (await effects.count()) > BACKLOG_MAX) continue
        for (let i = 0; i < 50; i++) {
          producer.open(sent.length % 4).builder.add(`${sent.length}`)
          sent.push(`${sent.length}`)
          if (i % 5 === 4) await new Promise((resolve) => setTimeout(resolve, 2))
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
      await new Promise((resolve) => setTimeout(resolve, 100 * round))
      frozen.child.kill('SIGCONT')
      // It learns of it from its heartbeat, or from the loss of the transaction in which it was suspended.
      await waitFor(
        () => /another member has taken over a partition|a batch failed/.test(frozen.output.slice(length)),
        { what: 'the notice that it was fenced' },
      )
    }
    await expectExactly(await running.stop())
    expect(other.child.exitCode).toBeNull()
  })

  it('store every record once and in order while they are killed at random and replaced', async () => {
    const running = load()
    let [one, two] = [await start('one'), await start('two')]
    for (let round = 0; round < 5; round++) {
      const before = await effects.count()
      await new Promise((resolve) => setTimeout(resolve, 50 + 130 * round))
      await kill(one.child)
      ;[one, two] = [two, await start(`next-${round}`)]
      await effects.untilCount(before + 1)
    }
    await expectExactly(await running.stop())
  })

  async function owners(): Promise<string[]> {
    const { rows } = await effects.database.query<{ owner: string | null }>('select owner from stream_partitions')
    return rows.map(({ owner }) => owner ?? '')
  }
})
