import { mkdirSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createExclusively, isRunning, ownIdentity } from '@millrace/process-lock'

/** Redis Cluster adds this to the port of a node to get the port of its bus. */
export const CLUSTER_BUS_OFFSET = 10_000

/** Range of the free ports: below Linux' ephemeral range (32768 and up), so that no outgoing connection takes one meanwhile. */
const LOWEST_PORT = 15_000
const HIGHEST_PORT = 31_999

/** One file for each port that was handed out, with the id of the process that got it, so that no other process chooses the port before it is bound. */
const CLAIMS = join(tmpdir(), `millrace-ports-${process.getuid?.() ?? 'all'}`)

/** Whether nothing listens on 127.0.0.1:`port` now. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** Whether a server on 127.0.0.1:`port` accepts a connection now. */
export function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => done(true)).once('error', () => done(false))
    socket.once('connect', () => socket.destroy())
  })
}

/**
 * A port of 127.0.0.1 on which nothing listens and that was not handed out to any running process before. With `companion`, the same holds for the port
 * that is higher by that number.
 */
export async function freePort(companion = 0): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - companion - LOWEST_PORT + 1))
    if (!(await isPortFree(port)) || !(await isPortFree(port + companion))) continue
    if (claim(port) && (companion === 0 || claim(port + companion))) return port
  }
  throw new Error(`no free port was found between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1`)
}

/** Claims the port for this process; false when a running process has it. The claim of a process that has ended is taken over. */
function claim(port: number): boolean {
  mkdirSync(CLAIMS, { recursive: true })
  return createExclusively(join(CLAIMS, String(port)), ownIdentity(), (holder) => !isRunning(holder))
}
