import { existsSync } from 'node:fs'
import { get } from 'node:http'
import { startChild } from './child.js'
import { extendServer, type Server, startServer } from './server.js'

export interface ServiceOptions {
  name: string
  /** The script Node runs, for example "apps/ingest-gateway/dist/main.js". */
  script: string
  args?: string[] | undefined
  /** Options for Node itself. */
  nodeOptions?: string[] | undefined
  /** The whole environment, not an addition to ours. */
  env: NodeJS.ProcessEnv
  cwd?: string | undefined
  logFile: string
  /** Of its admin server on 127.0.0.1, whose `/ready` answers 200 once it may be used. */
  adminPort: number
  /** Default 120,000. */
  readyDeadlineMs?: number | undefined
  /** Time for the shutdown after SIGTERM. Default 25,000, more than SHUTDOWN_TIMEOUT_MS. */
  stopGraceMs?: number | undefined
}

/** One of our services as a process. */
export interface ServiceProcess extends Server {
  /** For example "http://127.0.0.1:8081". */
  readonly adminUrl: string
}

/**
 * Starts a service and waits until `/ready` on its admin port answers 200.
 * @throws with its last log lines when it dies at start or is not ready in time.
 */
export async function startProcess(options: ServiceOptions): Promise<ServiceProcess> {
  const { name, script, logFile, adminPort, env, cwd } = options
  if (!existsSync(script))
    throw new Error(`${name} is not built (${script} is missing): run "npm start", which builds it`)
  const args = [...(options.nodeOptions ?? []), script, ...(options.args ?? [])]
  const server = await startServer({
    name,
    logFile,
    spawn: () => startChild({ name, command: process.execPath, args, env, cwd, logFile }),
    isReady: () => answersOk(adminPort, '/ready'),
    readyDeadlineMs: options.readyDeadlineMs ?? 120_000,
    stopSignal: 'SIGTERM',
    stopGraceMs: options.stopGraceMs ?? 25_000,
  })
  return extendServer(server, { adminUrl: `http://127.0.0.1:${adminPort}` })
}

function answersOk(port: number, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path, timeout: 2000, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    request.once('timeout', () => request.destroy(new Error('no answer in time')))
    request.once('error', () => resolve(false))
  })
}
