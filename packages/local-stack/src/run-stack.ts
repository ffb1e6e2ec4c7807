import { resolve } from 'node:path'
import { type Stack, startStack } from './stack.js'
import { describeKeys, type KeyLines } from './stack-keys.js'

const DEFAULT_KEYS = { write: 'mr_write_dev', admin: 'mr_admin_dev' }

/**
 * The part of `npm start` after the build: starts the stack with the settings of the environment, prints how to use it, and runs until SIGINT, SIGTERM or
 * SIGHUP, or until a process keeps dying. Resolves with the exit code.
 *
 * It reads MILLRACE_DATA_DIR (default `.millrace`), MILLRACE_PORTS (`free`), HTTP_PORT, BOOTSTRAP_WRITE_KEY, BOOTSTRAP_ADMIN_KEY, DATABASE_URL and the
 * Redis URLs.
 */
export async function runStack(startedAt: number, say: (line: string) => void): Promise<number> {
  const { env } = process
  const writeKey = env.BOOTSTRAP_WRITE_KEY || DEFAULT_KEYS.write
  const adminKey = env.BOOTSTRAP_ADMIN_KEY || DEFAULT_KEYS.admin
  if (env.NODE_ENV === 'production' && (writeKey === DEFAULT_KEYS.write || adminKey === DEFAULT_KEYS.admin)) {
    say(
      'NODE_ENV is production, but the write key and the admin key are the public defaults: set BOOTSTRAP_WRITE_KEY and BOOTSTRAP_ADMIN_KEY',
    )
    return 1
  }
  const signalled = new Promise<string>((resolveSignal) => {
    let isStopping = false
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        // The second signal ends the process at once, which kills every child.
        if (isStopping) process.exit(130)
        isStopping = true
        resolveSignal(name)
      })
    }
  })
  const starting = startStack({
    say,
    writeKey,
    adminKey,
    dataDir: resolve(env.MILLRACE_DATA_DIR ?? '.millrace'),
    ports: env.MILLRACE_PORTS === 'free' ? 'free' : 'default',
    httpPort: env.HTTP_PORT ? Number(env.HTTP_PORT) : undefined,
  })
  const stack = await Promise.race([starting, signalled])
  if (typeof stack === 'string') {
    say(`${stack}: stopping as soon as the start has finished`)
    await starting.then((late) => late.stop()).catch(() => {})
    return 0
  }
  for (const line of instructions(stack, startedAt, await describeKeys(stack))) say(line)
  const end = await Promise.race([signalled, stack.failed])
  say(end instanceof Error ? end.message : `${end}: stopping services, then Redis, then PostgreSQL`)
  const stopStart = performance.now()
  await stack.stop()
  say(`stopped after ${((performance.now() - stopStart) / 1000).toFixed(1)} s`)
  return end instanceof Error ? 1 : 0
}

function instructions(stack: Stack, startedAt: number, { keys, tries }: KeyLines): string[] {
  return [
    '',
    `Millrace is ready after ${((Date.now() - startedAt) / 1000).toFixed(1)} s.`,
    `  API         ${stack.url}          docs ${stack.url}/docs`,
    ...keys,
    `  PostgreSQL  ${stack.databaseUrl}`,
    `  Redis       streams ${stack.streamRedisUrl}   cache ${stack.cacheRedisUrl}`,
    ...stack.services.map(
      ({ server, instance }) => `  ${instance.name.padEnd(18)} ${server.adminUrl}/metrics   log ${server.logFile}`,
    ),
    ...(tries.length === 0 ? [] : ['', 'Try it:', ...tries]),
    '',
    'Ctrl-C stops everything.',
  ]
}
