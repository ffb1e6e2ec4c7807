import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createLogger } from '../src/create-logger.js'

const RECEIVER = fileURLToPath(new URL('receiver.mjs', import.meta.url))
const packageFolder = fileURLToPath(new URL('..', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'millrace-shipping-'))
const children: ChildProcess[] = []
/** Problems go to standard error. */
const stderr = jest.spyOn(process.stderr, 'write').mockImplementation(() => true)

afterEach(() => {
  for (const child of children.splice(0)) {
    child.kill('SIGCONT')
    child.kill('SIGKILL')
  }
  stderr.mockClear()
})
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let receivers = 0

/** A server in a process of its own that appends what it receives to a file before it answers. */
async function startReceiver(port = 0, status = 200) {
  const file = join(folder, `lines-${receivers++}`)
  const child = spawn(process.execPath, [RECEIVER, String(port), file, String(status)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [started] = (await new Promise<Buffer[]>((resolve) =>
    child.stdout?.once('data', (data: Buffer) => resolve([data])),
  )) as [Buffer]
  const url = `http://127.0.0.1:${String(started).trim()}`
  const records = () => {
    try {
      return readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
    } catch {
      return []
    }
  }
  return { child, url, port: Number(new URL(url).port), records }
}

function open(shipTo: { url: string; bufferBytesMax?: number; requestTimeoutMs?: number }) {
  const settings = { writeKey: 'mr_write', exitTimeoutMs: 0, ...shipTo }
  return createLogger({ service: 'test', stdout: false, samplePerSecond: 0, flushLines: 1, shipTo: settings })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('the condition was not met within a minute')
    await delay(10)
  }
}

const problems = () => stderr.mock.calls.map(([text]) => String(text))

describe('lines for log-shipper', () => {
  it('arrive masked, with the write key, in their order, and are counted when they are acknowledged', async () => {
    const { url, records } = await startReceiver()
    const logger = open({ url })
    for (let i = 0; i < 500; i++) logger.info('measured', { i, email: 'bob@example.com' })
    await logger.drained(60_000)
    expect(records().map(({ i }) => i)).toEqual(Array.from({ length: 500 }, (_, i) => i))
    expect(records()[0]).toMatchObject({ email: '[email]', service: 'test', key: 'Bearer mr_write' })
    expect(logger.shipping).toMatchObject({ written: 500, acknowledged: 500, dropped: 0, refused: 0, waitingBytes: 0 })
    logger.close()
  })

  it('wait while log-shipper is dead, and arrive when it is back', async () => {
    const port = await freePort()
    const logger = open({ url: `http://127.0.0.1:${port}` })
    for (let i = 0; i < 100; i++) logger.info('measured', { i })
    await until(() => (logger.shipping?.retries ?? 0) > 0)
    const { records } = await startReceiver(port)
    await logger.drained(60_000)
    expect(records().map(({ i }) => i)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(problems()).toHaveLength(2)
    expect(problems()[0]).toContain('cannot be delivered')
    logger.close()
  })

  it('are sent again when log-shipper is frozen and answers later', async () => {
    const { child, url, records } = await startReceiver()
    const logger = open({ url, requestTimeoutMs: 200 })
    logger.info('measured', { i: 0 })
    await logger.drained(60_000)
    child.kill('SIGSTOP')
    for (let i = 1; i < 10; i++) logger.info('measured', { i })
    await until(() => (logger.shipping?.retries ?? 0) > 1)
    child.kill('SIGCONT')
    await logger.drained(60_000)
    expect(new Set(records().map(({ i }) => i))).toEqual(new Set(Array.from({ length: 10 }, (_, i) => i)))
    logger.close()
  })

  it('are dropped and counted when the buffer is full, and the caller is never slowed down or stopped', async () => {
    const { child, url, records } = await startReceiver()
    child.kill('SIGSTOP')
    const logger = open({ url, bufferBytesMax: 50_000, requestTimeoutMs: 300 })
    for (let i = 0; i < 2_000; i++) {
      logger.info('measured', { i, filler: 'x'.repeat(100) })
      if (i % 10 === 9) logger.flush()
    }
    const counts = logger.shipping
    expect(counts?.waitingBytes).toBeLessThanOrEqual(50_000)
    expect(counts?.dropped).toBeGreaterThan(1_000)
    child.kill('SIGCONT')
    await logger.drained(60_000)
    const { written = 0, acknowledged = 0, dropped = 0 } = logger.shipping ?? {}
    expect(acknowledged + dropped).toBe(written)
    expect(new Set(records().map(({ i }) => i)).size).toBe(acknowledged)
    expect(problems().at(-1)).toContain(`${dropped} were dropped`)
    logger.close()
  })

  it('are kept when the key is refused, and given up when log-shipper refuses their content', async () => {
    const unauthorised = await startReceiver(0, 401)
    const first = open({ url: unauthorised.url })
    first.info('measured')
    await until(() => (first.shipping?.retries ?? 0) > 1)
    expect(first.shipping).toMatchObject({ refused: 0, acknowledged: 0 })
    first.close()
    const invalid = await startReceiver(0, 400)
    const second = open({ url: invalid.url })
    second.info('measured')
    await second.drained(60_000)
    expect(second.shipping).toMatchObject({ refused: 1, acknowledged: 0, waitingBytes: 0 })
    second.close()
  })

  it.each([
    ['by running out of work', ''],
    ['by process.exit', 'process.exit(3)'],
    ['by an uncaught error', `throw new Error('uncaught')`],
    ['by an unhandled rejection', `Promise.reject(new Error('unhandled'))`],
  ])('all arrive when the process ends %s', async (_how, ending) => {
    const { url, records } = await startReceiver()
    const program = `
      import { createLogger } from './dist/index.js'
      const shipTo = { url: process.env.URL, writeKey: 'mr_write', exitTimeoutMs: 30_000 }
      const logger = createLogger({ service: 'exit', stdout: false, samplePerSecond: 0, flushMs: 60_000, shipTo })
      for (let i = 0; i < 1000; i++) logger.info('measured', { i })
      ${ending}`
    spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: packageFolder, env: { URL: url } })
    expect(new Set(records().map(({ i }) => i)).size).toBe(1000)
  })

  it('do not keep the process from ending when log-shipper hangs', async () => {
    const { child, url } = await startReceiver()
    child.kill('SIGSTOP')
    const program = `
      import { createLogger } from './dist/index.js'
      const shipTo = { url: process.env.URL, writeKey: 'mr_write', exitTimeoutMs: 200 }
      const logger = createLogger({ service: 'exit', samplePerSecond: 0, shipTo })
      for (let i = 0; i < 10; i++) logger.info('measured', { i })`
    const ended = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
      cwd: packageFolder,
      env: { URL: url },
      encoding: 'utf8',
    })
    expect(ended.status).toBe(0)
    expect(ended.stdout.split('\n').filter((line) => line.includes('measured'))).toHaveLength(10)
    expect(ended.stderr).toContain('10 log lines were not delivered')
  })
})
