import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { ownIdentity } from '@millrace/process-lock'
import { canConnect, freePort, isPortFree } from './ports.js'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done))
})

async function listen(port: number): Promise<number> {
  const server = createServer((socket) => socket.end())
  servers.push(server)
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

const claimOf = (port: number) => join(tmpdir(), `millrace-ports-${process.getuid?.() ?? 'all'}`, String(port))

/** The id of a process that has ended. */
function endedProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid
}

describe('a free port', () => {
  test('a port on which a server listens is not free, and can be connected to', async () => {
    const port = await listen(0)
    expect(await isPortFree(port)).toBe(false)
    expect(await canConnect(port)).toBe(true)
  })

  test('200 concurrent requests for a free port get 200 different ports that this process can bind', async () => {
    const ports = await Promise.all(Array.from({ length: 200 }, () => freePort()))
    expect(new Set(ports).size).toBe(200)
    expect(await listen(ports[0] ?? 0)).toBe(ports[0])
  })

  test('a port that was handed out is claimed by the id of this process', async () => {
    const port = await freePort()
    expect(readFileSync(claimOf(port), 'utf8')).toBe(ownIdentity())
  })

  test('a port with a companion is free together with the port that is higher by the given number', async () => {
    const port = await freePort(10_000)
    expect(port + 10_000).toBeLessThanOrEqual(31_999)
    expect(await isPortFree(port + 10_000)).toBe(true)
    expect(readFileSync(claimOf(port + 10_000), 'utf8')).toBe(ownIdentity())
  })

  test('a claim of a running process keeps a port from being handed out, and a claim of an ended process does not', async () => {
    const taken = await withClaims(process.ppid, () => freePort())
    const free = await withClaims(endedProcess(), () => freePort())
    expect([taken, free]).toEqual([undefined, ONLY])
  })
})

const ONLY = 15_000

/** Runs `pick` where all random choices are port 15,000 and a process with the given id has claimed it. Undefined when no port was found. */
async function withClaims(pid: number, pick: () => Promise<number>): Promise<number | undefined> {
  const { random } = Math
  const before = claimOf(ONLY)
  mkdirSync(join(before, '..'), { recursive: true })
  rmSync(before, { force: true })
  writeFileSync(before, String(pid))
  Math.random = () => 0
  try {
    return await pick().catch(() => undefined)
  } finally {
    Math.random = random
    rmSync(before, { force: true })
  }
}
