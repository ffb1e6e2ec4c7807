import { join } from 'node:path'
import { MINUTE_MS } from '@millrace/contracts'
import { canConnect, extendServer, removeTemporary, type Server, startChild, startServer } from '@millrace/local-stack'

/** An HTTP server in front of the gateway, on 127.0.0.1. */
export interface EdgeServer extends Server {
  /** For example http://127.0.0.1:20000. */
  readonly origin: string
}

export interface EdgeOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly port: number
  /** A temporary directory for its files, which `stop` removes. */
  readonly dir: string
}

/** Starts the program in the foreground, as a child process that stops with SIGTERM. @throws an error with its last lines when it dies at start. */
export async function startEdge({ name, command, args, env, port, dir }: EdgeOptions): Promise<EdgeServer> {
  const logFile = join(dir, `${name}.log`)
  const server = await startServer({
    name,
    logFile,
    spawn: () => startChild({ name, command, args: [...args], env, logFile, cwd: dir }),
    isReady: () => canConnect(port),
    readyDeadlineMs: MINUTE_MS,
    stopSignal: 'SIGTERM',
    stopGraceMs: 5000,
    cleanUp: () => removeTemporary(dir),
  })
  return extendServer(server, { origin: `http://127.0.0.1:${port}` })
}
