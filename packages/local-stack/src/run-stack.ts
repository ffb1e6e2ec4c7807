import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkEnvironment } from './check-environment.js'
import { endEverything } from './orphans.js'
import { freePort } from './ports.js'
import { type Stack, startStack } from './stack.js'
import { describeKeys, type KeyLines } from './stack-keys.js'

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url))

/** EX_CONFIG of sysexits.h, as services end with. */
const EXIT_CODE_CONFIG = 78

/** Signals within this time are one. */
const SAME_SIGNAL_MS = 1000

const DEFAULT_KEYS = { write: 'mr_write_dev', admin: 'mr_admin_dev' }

/**
 * The part of `npm start` after the build: checks the settings and the servers that they name, starts the stack with the settings of the environment, prints how to use it, and runs until SIGINT, SIGTERM or
 * SIGHUP, or until a process keeps dying. Resolves with the exit code.
 *
 * It reads MILLRACE_DATA_DIR (default `.millrace`), MILLRACE_PORTS (`free`), HTTP_PORT, BOOTSTRAP_WRITE_KEY, BOOTSTRAP_ADMIN_KEY, DATABASE_URL, the
 * Redis URLs, STREAM_DRIVER, KAFKA_BROKERS and ARCHIVE_URL.
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
  const { problems, warnings } = await checkEnvironment(REPOSITORY, env)
  for (const line of warnings) say(`warning: ${line}`)
  for (const line of problems) say(line)
  if (problems.length > 0) return EXIT_CODE_CONFIG
  const signalled = new Promise<string>((resolveSignal) => {
    let firstMs: number | undefined
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(name, () => {
        // A later second signal ends the process at once, which kills every child. Ctrl-C comes twice: from the terminal and from npm, which passes it on.
        if (firstMs !== undefined && performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(130)
        firstMs ??= performance.now()
        resolveSignal(name)
      })
    }
  })
  const starting = startStack({
    say,
    writeKey,
    adminKey,
    dataDir: resolve(env.MILLRACE_DATA_DIR || '.millrace'),
    ports: env.MILLRACE_PORTS === 'free' ? 'free' : 'default',
    // 0 is any free port, as for a service that is started alone.
    httpPort: env.HTTP_PORT === '0' ? await freePort() : env.HTTP_PORT ? Number(env.HTTP_PORT) : undefined,
  })
  const stack = await Promise.race([starting, signalled])
  if (typeof stack === 'string') {
    say(`${stack}: stopping what has started so far`)
    starting.catch(() => {})
    await endEverything()
    return 0
  }
  for (const line of instructions(stack, startedAt, await describeKeys(stack))) say(line)
  const end = await Promise.race([signalled, stack.failed])
  say(
    end instanceof Error
      ? end.message
      : `${end}: stopping services, then ${stack.kafkaBrokers === undefined ? 'Redis' : 'Redis and Kafka'}, then PostgreSQL`,
  )
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
    ...describeStream(stack),
    ...stack.services.map(
      ({ server, instance }) => `  ${instance.name.padEnd(18)} ${server.adminUrl}/metrics   log ${server.logFile}`,
    ),
    ...(tries.length === 0 ? [] : ['', 'Try it:', ...tries, ...lagCommand(stack)]),
    '',
    'Ctrl-C stops everything.',
  ]
}

function describeStream({ streamRedisUrl, cacheRedisUrl, kafkaBrokers }: Stack): string[] {
  if (kafkaBrokers === undefined) return [`  Redis       streams ${streamRedisUrl}   cache ${cacheRedisUrl}`]
  return [`  Kafka       streams ${kafkaBrokers}`, `  Redis       cache ${cacheRedisUrl}`]
}

/** How to see the lag with Kafka's own tool. Our own broker has it as a script; for other brokers it comes with Kafka. */
function lagCommand({ kafka, kafkaBrokers }: Stack): string[] {
  if (kafkaBrokers === undefined) return []
  const tool =
    kafka === undefined ? 'kafka-consumer-groups.sh' : join(kafka.server.toolsDir, 'kafka-consumer-groups.sh')
  return [`  ${tool} --bootstrap-server ${kafkaBrokers} --describe --all-groups`]
}
