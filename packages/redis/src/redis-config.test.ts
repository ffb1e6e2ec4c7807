import { describe, expect, it } from '@jest/globals'
import { computeReconnectDelayMs } from './create-client.js'
import { toTarget } from './redis-config.js'
import { toRedisError } from './redis-errors.js'

const name = 'test'

describe('the settings of a connection', () => {
  it('select a single server by default', () => {
    expect(toTarget({ name, url: 'rediss://u:p%40ss@cache:6380/3' })).toEqual({
      mode: 'single',
      host: 'cache',
      port: 6380,
      db: 3,
      credentials: { username: 'u', password: 'p@ss', tls: {} },
    })
  })

  it('select a Unix socket when the address begins with unix://', () => {
    const target = { mode: 'single', path: '/var/lib/mill race/redis.sock', db: 0, credentials: {} }
    expect(toTarget({ name, url: 'unix:///var/lib/mill%20race/redis.sock' })).toEqual(target)
  })

  it('select Sentinel when its hosts are given', () => {
    const target = toTarget({
      name,
      url: 'redis://:secret@ignored/1',
      sentinelHosts: ['s1:26380', 's2'],
      masterName: 'main',
    })
    expect(target).toMatchObject({
      mode: 'sentinel',
      masterName: 'main',
      db: 1,
      credentials: { password: 'secret' },
      sentinels: [
        { host: 's1', port: 26380 },
        { host: 's2', port: 26379 },
      ],
    })
  })

  it('select a Cluster when it is enabled, with all addresses as its first nodes', () => {
    expect(toTarget({ name, url: 'redis://n1:7000, redis://[::1]:7001', clusterEnabled: true })).toMatchObject({
      mode: 'cluster',
      nodes: [
        { host: 'n1', port: 7000 },
        { host: '::1', port: 7001 },
      ],
    })
  })

  it.each([
    [{ url: 'http://x' }, 'redis://'],
    [{ url: 'redis://x/one' }, 'number of a database'],
    [{ url: 'redis://x/1', clusterEnabled: true }, 'no logical databases'],
    [{ url: 'redis://x', sentinelHosts: ['s'] }, 'REDIS_MASTER_NAME'],
    [{ url: 'redis://x', clusterEnabled: true, sentinelHosts: ['s'], masterName: 'm' }, 'not both'],
    [{ url: 'unix:///x', clusterEnabled: true }, 'one server'],
    [{ url: 'unix:///x', sentinelHosts: ['s'], masterName: 'm' }, 'one server'],
  ])('are refused with a sentence that contains no password: %j', (config, sentence) => {
    const url = config.url.replace('//', '//user:hunter2@')
    const open = () => toTarget({ name, ...config, url })
    expect(open).toThrow(expect.objectContaining({ code: 'REDIS_CONFIG', message: expect.stringContaining(sentence) }))
    expect(open).not.toThrow('hunter2')
  })
})

describe('the delays between reconnections', () => {
  it('double from 50 ms and never exceed 2 s', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1000].map((attempt) => computeReconnectDelayMs(attempt, () => 0))).toEqual([
      50, 100, 200, 400, 800, 1600, 2000, 2000,
    ])
    expect(computeReconnectDelayMs(1000, () => 1)).toBe(1000)
  })
})

describe('errors of ioredis', () => {
  const reply = (message: string) => Object.assign(new Error(message), { name: 'ReplyError' })
  it.each([
    [reply('OOM command not allowed when used memory > maxmemory'), 'REDIS_MEMORY_FULL', true],
    [reply("READONLY You can't write against a read only replica."), 'REDIS_UNAVAILABLE', true],
    [reply('LOADING Redis is loading the dataset in memory'), 'REDIS_UNAVAILABLE', true],
    [reply('WRONGTYPE Operation against a key'), 'REDIS_REFUSED', false],
  ])(
    'that a server sent become Millrace errors with the action in front of their message: %s',
    (error, code, retryable) => {
      const ours = toRedisError('appending a frame', error)
      expect(ours).toMatchObject({ code, retryable, cause: error })
      expect(ours.message).toBe(`appending a frame: ${error.message}`)
    },
  )

  it.each([
    [new Error('Command timed out'), 'REDIS_TIMEOUT', 'redis did not answer in time'],
    [new Error('Connection is closed.'), 'REDIS_UNAVAILABLE', 'redis cannot be reached'],
    [
      new Error("Stream isn't writeable and enableOfflineQueue options is false"),
      'REDIS_UNAVAILABLE',
      'redis cannot be reached',
    ],
  ])('without an answer become Millrace errors that say which part does not answer: %s', (error, code, what) => {
    const ours = toRedisError('appending a frame', error)
    expect(ours).toMatchObject({ code, retryable: true, cause: error, message: `appending a frame: ${what}` })
  })
})
