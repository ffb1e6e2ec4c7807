import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { SECOND_MS, streamKey } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, type TestRedis } from '@millrace/testing'
import type { StreamDriver } from '../driver/stream-driver.js'
import { createRedisDriver } from '../drivers/redis/driver.js'
import { encodeFrame, parseProducerId } from '../frame/frame.js'
import { completeSettings } from './complete-settings.js'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import type { FlushedPosition } from './group-table.js'
import { PartitionState } from './partition-state.js'
import { StreamTrimmer } from './stream-trimmer.js'

const PRODUCER = '00000000-0000-4000-8000-000000000001'

describe('the trimmer of a stream', () => {
  const startMs = Date.now() - 3600 * SECOND_MS
  const at = (seconds: number) => `${startMs + seconds * SECOND_MS}-0`
  let test: TestRedis
  let redis: RedisConnection

  beforeEach(async () => {
    test = await createTestRedis()
    redis = await openRedis({ url: test.url, name: 'trim' }, { logger: silentLogger })
    for (const [index, seconds] of [0, 1, 2, 3].entries()) await append(seconds, index + 1)
  })
  afterEach(async () => {
    await redis.close()
    await test.release()
  })

  /** Adds a frame with the position that a server with this time gives it. */
  async function append(seconds: number, sequence: number): Promise<void> {
    const header = { flags: 0, records: 1, cumulativeRecords: sequence, firstTimeMs: 1, lastTimeMs: 1, sequence }
    const frame = encodeFrame({ producer: parseProducerId(PRODUCER), ...header, payload: Buffer.from('line') })
    await redis.client.xadd(streamKey('lines', 0), at(seconds), 'f', frame)
  }

  interface Group {
    /** Of the newest flushed frame. */
    readonly seconds: number
    /** Up to when everything is flushed. Default `seconds`. */
    readonly watermark?: number
  }

  /** Trims for groups in these states, the first of which has read the frames up to `sequence`, and returns the seconds of the frames that stay. */
  async function trim(groups: readonly Group[], { sequence = 4, memoryCeilingBytes = 1 } = {}): Promise<number[]> {
    const driver: StreamDriver = createRedisDriver({ memoryCeilingBytes }, { redis })
    const flushed = groups.map(
      ({ seconds, watermark = seconds }): FlushedPosition => ({
        partition: 0,
        position: at(seconds),
        watermarkMs: startMs + watermark * SECOND_MS,
      }),
    )
    const context = {
      config: { driver, stream: 'lines' },
      settings: completeSettings({ partitions: 1 }),
      table: { flushedPositions: async () => flushed },
      now: () => performance.now(),
    } as unknown as ConsumerContext<unknown, SqlTransaction>
    const row = { partition: 0, epoch: 1, position: '', nextOrdinal: 0, frames: 0, flushedPosition: '' }
    const state = new PartitionState(
      { ...row, flushedOrdinal: 0, watermarkMs: undefined },
      [{ partition: 0, producer: PRODUCER, sequence, records: sequence }],
      false,
    )
    await new StreamTrimmer(context).run(new Map([[0, state]]))
    const entries = await redis.client.xrange(streamKey('lines', 0), '-', '+')
    return entries.map(([id]) => (Number.parseInt(id, 10) - startMs) / SECOND_MS)
  }

  it('removes every frame but the newest from a full stream that all groups have flushed to its end', async () => {
    expect(await trim([{ seconds: 3 }, { seconds: 3 }])).toEqual([3])
  })

  it('keeps all frames of the last 10 s while a group has not flushed the newest frame', async () => {
    expect(await trim([{ seconds: 3 }, { seconds: 2 }])).toEqual([0, 1, 2, 3])
  })

  it('keeps frames that a new server has put before the position of a group, which nobody has read yet', async () => {
    expect(await trim([{ seconds: 9 }])).toEqual([0, 1, 2, 3])
    expect(await trim([{ seconds: 3 }, { seconds: 9 }])).toEqual([0, 1, 2, 3])
  })

  it('keeps all frames when the newest one was not read, although it has the position of the group', async () => {
    expect(await trim([{ seconds: 3 }], { sequence: 3 })).toEqual([0, 1, 2, 3])
  })

  it('removes flushed frames that are 10 s older than the time up to which every group has flushed everything', async () => {
    await append(4, 5)
    expect(await trim([{ seconds: 3, watermark: 11.5 }, { seconds: 4 }])).toEqual([0, 1, 2, 3, 4])
    expect(await trim([{ seconds: 3, watermark: 11.5 }])).toEqual([2, 3, 4])
    expect(await trim([{ seconds: 3, watermark: 60 }])).toEqual([3, 4])
  })

  it('keeps all frames while the server is below its share of memory', async () => {
    expect(await trim([{ seconds: 3, watermark: 60 }], { memoryCeilingBytes: 1024 ** 4 })).toEqual([0, 1, 2, 3])
  })
})
