import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { freePort } from './ports.js'
import { isAlive } from './process-table.js'
import { type ServiceProcess, startProcess } from './service-process.js'
import { type Supervised, supervise } from './supervise.js'
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

function watch(server: ServiceProcess, onGivenUp: (error: Error) => void = () => {}): Supervised<ServiceProcess> {
  supervised = supervise(server, { say: (line) => lines.push(line), onGivenUp, backoffMs: 1 })
  return supervised
}

test('a process that is killed is started again, with a line that says so', async () => {
  const server = await start()
  watch(server)
  const first = server.pid
  await server.kill()
  await waitFor(() => lines.some((line) => line.startsWith('worker is ready again')))
  expect(server.pid).not.toBe(first)
  expect(isAlive(server.pid)).toBe(true)
  expect(lines[0]).toBe('worker ended (signal SIGKILL); starting it again')
})

test('a process that keeps dying ends the supervision with its last lines', async () => {
  const server = await start()
  const givenUp = new Promise<Error>((resolve) => watch(server, resolve))
  writeFileSync(join(root, 'apps/stream-consumer/dist/main.js'), `console.log('no such table'); process.exit(7)`)
  await server.kill()
  const error = await givenUp
  expect(error.message).toMatch(/^worker keeps dying \(5 times within 60 s\); its last lines/)
  expect(error.message).toContain('no such table')
})

test('a start that fails tells the exit code and the last lines', async () => {
  await expect(start({ BREAK_SERVICE: '1' })).rejects.toThrow(
    /worker ended at start \(exit code 3\)[\s\S]*cannot go on/,
  )
})

test('an outage lasts until it is ended, and is no death', async () => {
  const server = await start()
  const watched = watch(server)
  await watched.takeDown()
  expect(isAlive(server.pid)).toBe(false)
  expect(lines).toEqual([])
  await watched.bringUp()
  expect((await fetch(`${server.adminUrl}/ready`)).status).toBe(200)
})

test('a stop lets the process drain', async () => {
  const server = await start()
  await watch(server).stop()
  expect(server.tail()).toMatch(/drained$/)
})

test('a paused process answers nothing, and goes on when resumed', async () => {
  const server = await start()
  await server.pause()
  await expect(fetch(`${server.adminUrl}/ready`, { signal: AbortSignal.timeout(200) })).rejects.toThrow()
  await server.resume()
  expect((await fetch(`${server.adminUrl}/ready`)).status).toBe(200)
  await server.stop()
})

test('a service that is not built is named', async () => {
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
