import { createServer } from 'node:net'

/** Redis Cluster adds this to a node's port for its bus. */
export const CLUSTER_BUS_OFFSET = 10_000

/** Where free ports are looked for: below Linux's ephemeral range (32768 and up), so no outgoing connection takes one meanwhile. */
const LOWEST_PORT = 15_000
const HIGHEST_PORT = 31_999

const handedOut = new Set<number>()

/** Whether nothing listens on 127.0.0.1:`port` at this moment. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * A loopback port on which nothing listens now and that this process has not handed out before.
 * With `companion`, nothing listens on the port that much higher either.
 * Two processes may be given the same port; whoever binds second fails at start and may ask again.
 */
export async function freePort(companion = 0): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = LOWEST_PORT + Math.floor(Math.random() * (HIGHEST_PORT - companion - LOWEST_PORT + 1))
    if (handedOut.has(port) || handedOut.has(port + companion)) continue
    if (!(await isPortFree(port)) || !(await isPortFree(port + companion))) continue
    handedOut.add(port).add(port + companion)
    return port
  }
  throw new Error(`no free port was found between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1`)
}
