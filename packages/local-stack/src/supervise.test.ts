import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { isAlive } from '@millrace/process-lock'
import { freePort } from './ports.js'
import { type ServiceProcess, startProcess } from './service-process.js'
import { type Supervised, type SupervisionOptions, supervise } from './supervise.js'
import { removeTemporary, temporaryDirectory } from './temporary.js'
import { createFakeRepository } from './testing/fake-repository.js'
import { waitFor } from './wait.js'

let root: string
let home: string
let lines: string[]
let supervised: Supervised<ServiceProcess> | undefined

beforeEach(() => {
  root = createFakeRepository()
  home = temporaryDirectory('millrace-supervise-')
  lines = []
})
afterEach(async () => {
  await supervised?.stop()
  supervised = undefined
  removeTemporary(root)
  removeTemporary(home)
})

async function start(env: Record<string, string> = {}): Promise<ServiceProcess> {
  const adminPort = await freePort()
  const script = join(root, 'apps/stream-consumer/dist/main.js')
  return await startProcess({
    name: 'worker',
    script,
    adminPort,
    logFile: join(home, 'log'),
    env: { PATH: process.env.PATH, ADMIN_PORT: String(adminPort), ...env },
  })
}

function watch(
  server: ServiceProcess,
  onGivenUp: (error: Error) => void = () => {},
  more: Partial<SupervisionOptions> = {},
): Supervised<ServiceProcess> {
  supervised = supervise(server, { say: (line) => lines.push(line), onGivenUp, backoffMs: 1, ...more })
  return supervised
}

const countOf = (start: string): number => lines.filter((line) => line.startsWith(start)).length

test('a process that is killed is restarted, with a line that says so', async () => {
  const server = await start()
  watch(server)
  const first = server.pid
  await server.kill()
  await waitFor(() => countOf('worker is ready again') === 1)
  expect(server.pid).not.toBe(first)
  expect(isAlive(server.pid)).toBe(true)
  expect(lines[0]).toBe('worker ended (signal SIGKILL); restarting it')
})

test('the supervision of a process that keeps dying ends with the last lines of the process', async () => {
  const server = await start()
  const givenUp = new Promise<Error>((resolve) => watch(server, resolve))
  writeFileSync(join(root, 'apps/stream-consumer/dist/main.js'), `console.log('no such table'); process.exit(7)`)
  await server.kill()
  const error = await givenUp
  expect(error.message).toMatch(/^worker keeps dying \(5 times in a row\); its last lines/)
  expect(error.message).toContain('no such table')
})

test('a process that becomes ready each time is restarted however often it is killed', async () => {
  const server = await start()
  const givenUp: Error[] = []
  watch(server, (error) => givenUp.push(error))
  for (let kills = 1; kills <= 7; kills++) {
    await server.kill()
    await waitFor(() => countOf('worker is ready again') === kills)
  }
  expect(givenUp).toEqual([])
})

test('the supervision of a process that repeatedly fails soon after it became ready ends', async () => {
  const server = await start()
  const givenUp = new Promise<Error>((resolve) => watch(server, resolve))
  writeFileSync(
    join(root, 'apps/stream-consumer/dist/main.js'),
    `require('node:http').createServer((req, res) => res.end('ready', () => setImmediate(() => { console.log('out of luck'); process.exit(9) })))
       .listen(Number(process.env.ADMIN_PORT), '127.0.0.1')`,
  )
  await server.kill()
  expect((await givenUp).message).toMatch(/^worker keeps dying[\s\S]*out of luck/)
})

test('an end of a process counts as no failure while a server that it depends on is down', async () => {
  const needed = supervise(await start(), { say: () => {}, onGivenUp: () => {} })
  const script = join(root, 'apps/stream-consumer/dist/main.js')
  const working = readFileSync(script)
  const server = await start()
  const givenUp: Error[] = []
  watch(server, (error) => givenUp.push(error), { needs: [needed] })
  await needed.takeDown()
  writeFileSync(script, 'process.exit(7)')
  await server.kill()
  await waitFor(() => countOf('worker ended (exit code 7)') > 6)
  expect(givenUp).toEqual([])
  writeFileSync(script, working)
  await needed.bringUp()
  await waitFor(() => countOf('worker is ready again') === 1)
  await needed.stop()
})

test('a process that fails because of a full disk is started again without end, with one line, until it is ready', async () => {
  const server = await start()
  const script = join(root, 'apps/stream-consumer/dist/main.js')
  const working = readFileSync(script)
  const runs = join(home, 'runs')
  let isFull = true
  const givenUp: Error[] = []
  const findObstacle = () => (isFull ? { reason: 'the disk of /data is full', isGone: () => !isFull } : undefined)
  watch(server, (error) => givenUp.push(error), { findObstacle, obstacleMs: 1 })
  writeFileSync(script, `require('node:fs').appendFileSync(${JSON.stringify(runs)}, 'x'); process.exit(1)`)
  await server.kill()
  await waitFor(() => existsSync(runs) && readFileSync(runs, 'utf8').length > 6)
  expect(lines).toEqual([
    'worker ended (signal SIGKILL), and the disk of /data is full; it is started again as soon as possible',
  ])
  writeFileSync(script, working)
  isFull = false
  await waitFor(() => countOf('worker is ready again') === 1)
  expect(givenUp).toEqual([])
})

test('a restart follows at once when the obstacle is gone', async () => {
  const server = await start()
  let isFull = true
  const findObstacle = () => (isFull ? { reason: 'the disk of /data is full', isGone: () => !isFull } : undefined)
  watch(server, () => {}, { findObstacle, obstacleMs: 3_600_000 })
  await server.kill()
  await waitFor(() => countOf('worker ended') === 1)
  isFull = false
  await waitFor(() => countOf('worker is ready again') === 1)
})

test('the error of a failed start contains the exit code and the last lines of the process', async () => {
  await expect(start({ BREAK_SERVICE: '1' })).rejects.toThrow(
    /worker ended at start \(exit code 3\)[\s\S]*cannot go on/,
  )
})

test('a process that is taken down stays down until it is brought up, and nothing is reported', async () => {
  const server = await start()
  const watched = watch(server)
  await watched.takeDown()
  expect(isAlive(server.pid)).toBe(false)
  expect(lines).toEqual([])
  await watched.bringUp()
  expect((await fetch(`${server.adminUrl}/ready`)).status).toBe(200)
})

test('a process that fails when it is brought up is started again until it is ready', async () => {
  const script = join(root, 'apps/stream-consumer/dist/main.js')
  const working = readFileSync(script)
  const watched = watch(await start())
  await watched.takeDown()
  writeFileSync(script, 'process.exit(7)')
  await expect(watched.bringUp()).rejects.toThrow('worker ended at start (exit code 7)')
  writeFileSync(script, working)
  await waitFor(() => countOf('worker is ready again') === 1)
})

test('stopping a process lets it drain', async () => {
  const server = await start()
  await watch(server).stop()
  expect(server.tail()).toMatch(/drained$/)
})

test('a paused process does not answer, and a resumed one does', async () => {
  const server = await start()
  await server.pause()
  await expect(fetch(`${server.adminUrl}/ready`, { signal: AbortSignal.timeout(200) })).rejects.toThrow()
  await server.resume()
  expect((await fetch(`${server.adminUrl}/ready`)).status).toBe(200)
  await server.stop()
})

test('the error names a service that is not built', async () => {
  mkdirSync(join(root, 'apps/none'), { recursive: true })
  const options = {
    name: 'none',
    script: join(root, 'apps/none/dist/main.js'),
    env: {},
    logFile: join(home, 'none'),
    adminPort: 1,
  }
  await expect(startProcess(options)).rejects.toThrow(/none is not built/)
})
