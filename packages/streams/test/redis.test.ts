import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { streamKey } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createRedisDriver, openStreamDriver, type RedisDriverConfig } from '@millrace/streams'
import { startTestRedisServer, waitFor } from '@millrace/testing'

const FRAME = { partition: 0, frame: Buffer.from('frame') }

describe('a stream in Redis', () => {
  let server: Awaited<ReturnType<typeof startTestRedisServer>>
  let redis: RedisConnection

  beforeEach(async () => {
    server = await startTestRedisServer()
    redis = await openRedis({ url: server.url, name: 'stream', commandTimeoutMs: 2000 }, { logger: silentLogger })
  })
  afterEach(async () => {
    await redis.close()
    await server.stop()
  })
  const open = (config: RedisDriverConfig = {}) => createRedisDriver(config, { redis })
  const length = () => server.command('XLEN', streamKey('s', 0))

  it('is opened by STREAM_DRIVER=redis, and STREAM_MIN_REPLICAS sets how many replicas must confirm a frame', async () => {
    const deps = { redis, logger: silentLogger }
    const alone = await openStreamDriver({ STREAM_DRIVER: 'redis' }, deps)
    expect(await alone.append('s', [FRAME])).toMatchObject([{ kind: 'held' }])
    const replicated = await openStreamDriver({ STREAM_DRIVER: 'redis', STREAM_MIN_REPLICAS: 1 }, deps)
    expect(await replicated.append('s', [FRAME])).toMatchObject([{ kind: 'unavailable' }])
  })

  it('is not opened without what its driver needs: one error names the setting', async () => {
    const deps = { redis: undefined, logger: silentLogger }
    for (const [driver, setting] of [
      ['redis', 'STREAM_REDIS_URL'],
      ['kafka', 'KAFKA_BROKERS'],
    ] as const) {
      await expect(openStreamDriver({ STREAM_DRIVER: driver }, deps)).rejects.toMatchObject({
        code: 'STREAM_CONFIG',
        message: `STREAM_DRIVER is "${driver}", which needs ${setting}, but it is not set`,
      })
    }
  })

  it('shows the exact lag of each group in XINFO GROUPS', async () => {
    const driver = open()
    const positions: string[] = []
    for (let i = 0; i < 5; i++) {
      const [result] = await driver.append('s', [FRAME])
      if (result?.kind === 'held') positions.push(result.position)
    }
    await driver.mirrorGroup('s', 'readers', [{ partition: 0, position: positions[1] as string, framesRead: 2 }])
    const [group] = (await server.command('XINFO', 'GROUPS', streamKey('s', 0))) as (string | number)[][]
    const fact = (name: string) => group?.[group.indexOf(name) + 1]
    expect([fact('name'), fact('last-delivered-id'), fact('entries-read'), fact('lag')]).toEqual([
      'readers',
      positions[1],
      2,
      3,
    ])
  })

  it('opens a reader that can read at once, even if its own connection was opened lazily', async () => {
    const lazy = await openRedis({ url: server.url, name: 'lazy', isLazy: true }, { logger: silentLogger })
    const driver = createRedisDriver({}, { redis: lazy })
    await open().append('s', [FRAME])
    const reader = await driver.openReader('s')
    reader.seek(0, '')
    expect(await reader.read({ framesMax: 10, bytesMax: 1000, blockMs: 0 })).toHaveLength(1)
    await reader.close()
    await lazy.close()
  })

  it('reports full and stores nothing when the server has no memory left', async () => {
    const driver = open()
    await driver.append('s', [FRAME])
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect(await driver.append('s', [FRAME])).toEqual([{ kind: 'full', cause: expect.any(Error) }])
    expect(await driver.memory()).toMatchObject({ ceilingBytes: 1 })
    expect(await length()).toBe(1)
  })

  it('uses the smaller of its own memory ceiling and the server’s', async () => {
    expect((await open().memory()).ceilingBytes).toBeUndefined()
    expect((await open({ memoryCeilingBytes: 1000 }).memory()).ceilingBytes).toBe(1000)
    await server.command('CONFIG', 'SET', 'maxmemory', '100mb')
    expect((await open({ memoryCeilingBytes: 1000 }).memory()).ceilingBytes).toBe(1000)
    expect((await open({ memoryCeilingBytes: 1024 ** 4 }).memory()).ceilingBytes).toBe(100 * 1024 ** 2)
  })

  it('reports an append as ambiguous when the server hangs', async () => {
    const driver = open({ appendTimeoutMs: 100 })
    await server.pause()
    const [result] = await driver.append('s', [FRAME])
    await server.resume()
    expect(result).toMatchObject({ kind: 'unavailable', isAmbiguous: true })
  })

  it('reports a frame as certainly not stored when the connection is down', async () => {
    const driver = open()
    const lost = new Promise((resolve) => redis.client.once('close', resolve))
    await server.kill()
    await lost
    expect(await driver.append('s', [FRAME])).toMatchObject([{ kind: 'unavailable', isAmbiguous: false }])
  })

  it('stores one copy of a frame, not one a retry, while too few replicas confirm', async () => {
    const driver = open({ minReplicas: 1, replicaTimeoutMs: 300 })
    expect(await driver.append('s', [FRAME])).toMatchObject([{ kind: 'unavailable', isAmbiguous: true }])
    expect(await driver.append('s', [FRAME])).toMatchObject([{ kind: 'unavailable', isAmbiguous: false }])
    expect(await driver.append('s', [FRAME])).toMatchObject([{ kind: 'unavailable', isAmbiguous: false }])
    expect(await length()).toBe(1)
    const replica = await startTestRedisServer({
      settings: { replicaof: `127.0.0.1 ${server.port}`, 'repl-diskless-sync-delay': '0' },
    })
    try {
      await waitFor(async () => (await driver.append('s', [FRAME]))[0]?.kind === 'held', {
        what: 'a replica',
        deadlineMs: 60_000,
      })
    } finally {
      await replica.stop()
    }
  })

  it('returns an entry that is not a frame as empty bytes', async () => {
    const driver = open()
    await server.command('XADD', streamKey('s', 0), '*', 'other', 'value')
    const reader = await driver.openReader('s')
    reader.seek(0, '')
    const frames = await reader.read({ framesMax: 10, bytesMax: 1000, blockMs: 0 })
    expect(frames.map(({ bytes }) => bytes.length)).toEqual([0])
    await driver.close()
  })
})
