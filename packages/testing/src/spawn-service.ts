import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  freePort,
  removeTemporary,
  type ServiceProcess,
  type Stack,
  type StackOptions,
  startProcess,
  startStack,
  temporaryDirectory,
} from '@millrace/local-stack'
import { hold } from './leaks.js'
import { withStop } from './test-redis.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

export interface SpawnServiceOptions {
  /** Folder below apps/, for example "ingest-gateway". */
  app: string
  /** Added to PATH, NODE_ENV (test), ADMIN_PORT and OTLP_GRPC_PORT (free ones) and MILLRACE_DATA_DIR (a temporary one). */
  env: Record<string, string>
  /** Options for Node itself. */
  nodeOptions?: string[]
  /** Default 120,000. */
  readyDeadlineMs?: number
}

/**
 * Starts a compiled app as a process and waits for `/ready`. It is not started again when it dies: the test kills it and calls `restart`.
 * `stop` gives it back.
 */
export async function spawnService(options: SpawnServiceOptions): Promise<ServiceProcess> {
  const home = temporaryDirectory(`millrace-${options.app}-`)
  const adminPort = await freePort()
  const service = await startProcess({
    name: options.app,
    script: join(ROOT, 'apps', options.app, 'dist/main.js'),
    cwd: ROOT,
    adminPort,
    logFile: join(home, 'log'),
    nodeOptions: options.nodeOptions,
    readyDeadlineMs: options.readyDeadlineMs ?? 120_000,
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      ADMIN_PORT: String(adminPort),
      // Two processes of log-shipper cannot listen on the same default port.
      OTLP_GRPC_PORT: '0',
      MILLRACE_DATA_DIR: home,
      ...options.env,
    },
  })
  const release = hold(`service ${options.app}`, async () => {
    await service.stop()
    removeTemporary(home)
  })
  return withStop(service, release)
}

/** The whole stack on free ports, in a temporary directory unless `dataDir` is given; `stop` gives it back. */
export async function startTestStack(options: Partial<StackOptions> = {}): Promise<Stack> {
  const home = options.dataDir === undefined ? temporaryDirectory('millrace-stack-') : undefined
  const stack = await startStack({ dataDir: `${home}`, ports: 'free', say: () => {}, walSegments: 0, ...options })
  const release = hold('stack', async () => {
    await stack.stop()
    if (home) removeTemporary(home)
  })
  return withStop(stack, release)
}
