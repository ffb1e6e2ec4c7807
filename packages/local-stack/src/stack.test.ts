import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { isAlive } from '@millrace/process-lock'
import { localDatabaseUrl } from './local-database.js'
import { freePort } from './ports.js'
import { type Stack, startStack } from './stack.js'
import type { StackOptions } from './stack-options.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { createFakeRepository } from './testing/fake-repository.js'
import { killWatcher } from './testing/kill-watcher.js'
import { waitFor } from './wait.js'

let root: string
let dataDir: string
let lines: string[]
let stack: Stack | undefined

// One data directory for all tests: making an empty PostgreSQL takes longer than the rest of a start.
beforeAll(() => {
  root = createFakeRepository()
  dataDir = temporaryDirectory('millrace-stack-')
})
beforeEach(() => {
  lines = []
})
afterEach(async () => {
  await stack?.stop()
  stack = undefined
})
afterAll(() => {
  removeTemporary(root)
  removeTemporary(dataDir)
})

async function start(options: Partial<StackOptions> = {}): Promise<Stack> {
  return await startStack({ root, dataDir, ports: 'free', say: (line) => lines.push(line), walSegments: 0, ...options })
}

test('a stack starts servers and services, gives every service its settings, and leaves no process behind', async () => {
  stack = await start({ instances: { 'stream-consumer': 2 }, env: { LOG_LEVEL: 'debug' } })
  expect(stack.processes().map(({ name }) => name)).toEqual([
    'PostgreSQL',
    'Redis for streams',
    'Redis for the cache',
    'ingest-gateway',
    'stream-consumer',
    'stream-consumer-2',
    'log-shipper',
    'analytics-query',
    'health-aggregator',
  ])
  const consumer = stack.services[2]
  const env = (await (await fetch(`${consumer?.server.adminUrl}/env`)).json()) as Record<string, string>
  expect(env).toMatchObject({
    DATABASE_URL: stack.postgres?.server.localUrl,
    STREAM_REDIS_URL: stack.streamRedis?.server.localUrl,
    CACHE_REDIS_URL: stack.cacheRedis?.server.localUrl,
    BOOTSTRAP_WRITE_KEY: 'mr_write_dev',
    GRPC_HOST: '127.0.0.1',
    GRPC_PORT: String(consumer?.instance.grpcPort),
    ADMIN_PORT: String(consumer?.instance.adminPort),
    LOG_LEVEL: 'debug',
  })
  const pids = stack.processes().map(({ pid }) => pid)
  await stack.stop()
  expect(pids.filter(isAlive)).toEqual([])
})

test('a stack keeps its data and its password from one run to the next', async () => {
  stack = await start()
  const password = new URL(stack.databaseUrl).password
  expect(password).toHaveLength(24)
  expect(localDatabaseUrl(dataDir)).toBe(stack.databaseUrl)
  await stack.streamRedis?.server.command('SET', 'key', 'kept')
  await stack.stop()
  expect(localDatabaseUrl(dataDir)).toBeUndefined()
  stack = await start()
  expect(new URL(stack.databaseUrl).password).toBe(password)
  expect(await stack.streamRedis?.server.command('GET', 'key')).toBe('kept')
})

test('a stack starts no server that the environment names', async () => {
  const env = {
    DATABASE_URL: 'postgres://elsewhere/x',
    REDIS_URL: 'redis://elsewhere:1',
    CACHE_REDIS_URL: 'redis://elsewhere:2',
  }
  stack = await start({ env })
  expect(stack.processes()).toHaveLength(5)
  expect([stack.databaseUrl, stack.streamRedisUrl, stack.cacheRedisUrl]).toEqual([
    env.DATABASE_URL,
    env.REDIS_URL,
    env.CACHE_REDIS_URL,
  ])
})

test('a stack does not start on a data directory of another stack, nor on a chosen port that is in use', async () => {
  stack = await start()
  await expect(start()).rejects.toThrow(/a stack already runs on/)
  await stack.stop()
  const httpPort = await freePort()
  const other = createServer().listen(httpPort, '127.0.0.1')
  await expect(start({ httpPort })).rejects.toThrow(`ingest-gateway needs port ${httpPort}, which another program uses`)
  await new Promise((resolve) => other.close(resolve))
})

test('a stack that fails to start stops what it has started, and reports the last lines of the process that died', async () => {
  const serviceEnv = { 'analytics-query': { BREAK_SERVICE: '1' } }
  await expect(start({ serviceEnv })).rejects.toThrow(/analytics-query ended at start[\s\S]*cannot go on/)
  stack = await start()
})

test('a stack restarts PostgreSQL and Redis after they were killed', async () => {
  stack = await start()
  await Promise.all([stack.postgres?.server.kill(), stack.streamRedis?.server.kill()])
  await waitFor(() => lines.filter((line) => line.includes('is ready again')).length === 2)
  expect(await stack.streamRedis?.server.command('PING')).toBe('PONG')
})

/** Starts a stack in a process of its own, and kills that process and its watcher with SIGKILL when the stack is ready. Returns the processes of the stack. */
async function startAndKill(httpPort: number): Promise<number[]> {
  const script = `
    const { startStack } = await import(${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)})
    const stack = await startStack(${JSON.stringify({ root, dataDir, httpPort, ports: 'free', walSegments: 0 })})
    console.log(JSON.stringify(stack.processes().map(({ pid }) => pid)))
    setInterval(() => {}, 1000)`.replace('"walSegments"', '"say": () => {}, "walSegments"')
  const supervisor = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = (await once(supervisor.stdout.setEncoding('utf8'), 'data')) as [string]
  killWatcher(supervisor.pid as number)
  supervisor.kill('SIGKILL')
  await once(supervisor, 'exit')
  return JSON.parse(output) as number[]
}

test('after SIGKILL of the supervisor and of its watcher the same start works: it ends what was left behind before it looks for ports', async () => {
  const httpPort = await freePort()
  const pids = await startAndKill(httpPort)
  expect(pids.filter(isAlive)).toEqual(pids)
  stack = await start({ httpPort })
  expect(stack.url).toBe(`http://127.0.0.1:${httpPort}`)
  expect(pids.filter(isAlive)).toEqual([])
  expect(lines[0]).toMatch(/^removed what an earlier start left behind when it was killed: process \d+/)
})
