import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { findFullDisk } from './disk.js'
import type { KafkaServer } from './kafka/kafka.js'
import { reapOrphans } from './orphans.js'
import { freePort, isPortFree } from './ports.js'
import type { PostgresServer } from './postgres.js'
import type { RedisServer } from './redis.js'
import type { Server } from './server.js'
import { type ServiceProcess, startProcess } from './service-process.js'
import {
  GATEWAY,
  instanceEnvironment,
  type PortRequest,
  planInstances,
  type ServiceInstance,
  serviceProgram,
} from './services.js'
import { lockDataDirectory } from './stack-lock.js'
import type { StackOptions } from './stack-options.js'
import { checkStackSpace, type StackServers, startStackServers } from './stack-servers.js'
import { createSteps } from './steps.js'
import { type Supervised, supervise } from './supervise.js'

/** A running stack. Each of its processes is supervised and restarted when it dies. */
export interface Stack {
  /** The address of the first gateway, for example "http://127.0.0.1:8080". */
  readonly url: string
  readonly databaseUrl: string
  /** Undefined when the stream is on Kafka. */
  readonly streamRedisUrl: string | undefined
  readonly cacheRedisUrl: string
  /** For KAFKA_BROKERS. Undefined when the stream is on Redis. */
  readonly kafkaBrokers: string | undefined
  readonly writeKey: string
  readonly adminKey: string
  /** Undefined when the environment names a server, so that the stack does not run one. */
  readonly postgres: Supervised<PostgresServer> | undefined
  readonly streamRedis: Supervised<RedisServer> | undefined
  readonly cacheRedis: Supervised<RedisServer> | undefined
  readonly kafka: Supervised<KafkaServer> | undefined
  /** In the order of the table of services; instances of one service follow each other. */
  readonly services: readonly StackService[]
  /** Resolves with the reason when a process keeps dying; the other processes keep running. */
  readonly failed: Promise<Error>
  /** Name and current process id of every process of the stack. */
  processes(): { name: string; pid: number }[]
  /** Stops services, then Redis and Kafka, then PostgreSQL. Safe to call twice. */
  stop(): Promise<void>
}

export interface StackService extends Supervised<ServiceProcess> {
  readonly instance: ServiceInstance
}

const DEV_KEYS = { write: 'mr_write_dev', admin: 'mr_admin_dev' }

/**
 * Starts the servers, runs the migrations, starts every service as a process and waits until all are ready. The code must be built. A start that fails
 * stops what it has started.
 * @throws an error whose message names the cause: a port in use, a missing tool, or the last lines of the process that died.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { say } = options
  const root = options.root ?? fileURLToPath(new URL('../../..', import.meta.url))
  const dataDir = resolve(options.dataDir)
  const steps = createSteps(say)
  checkStackSpace(options, dataDir)
  const unlock = lockDataDirectory(dataDir)
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const each of stops.splice(0).reverse()) await each()
    unlock()
  }
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<Error>((settle) => {
    fail = settle
  })
  const watch = <S extends Server>(server: S, directory: string, needs: readonly Supervised[] = []): Supervised<S> =>
    supervise(server, {
      say,
      onGivenUp: fail,
      needs,
      findObstacle: () => findFullDisk(directory, server.tail()),
      ...(options.deathsMax !== undefined && { deathsMax: options.deathsMax }),
    })

  try {
    const orphans = await reapOrphans()
    if (orphans.length > 0) say(`removed what an earlier start left behind when it was killed: ${orphans.join(', ')}`)
    // Only now, since the processes that were left behind held their ports.
    const instances = await planInstances(options, (request) => servicePort(options, request))
    const keep = <S extends Server>(server: S): S => {
      stops.push(() => server.stop())
      return server
    }
    const keys = { write: options.writeKey ?? DEV_KEYS.write, admin: options.adminKey ?? DEV_KEYS.admin }
    const servers = await startStackServers({ options, dataDir, root, steps, keep })
    await steps.run('database migrations and keys', () => migrateAndSeed(root, servers.databaseUrl, keys))
    stops.length = 0
    const postgres = servers.postgres && watch(servers.postgres, servers.postgres.dataDir)
    const streamRedis = servers.streamRedis && watch(servers.streamRedis, servers.streamRedis.dir)
    const cacheRedis = servers.cacheRedis && watch(servers.cacheRedis, servers.cacheRedis.dir)
    const kafka = servers.kafka && watch(servers.kafka, servers.kafka.dir)
    const ours = [postgres, streamRedis, kafka, cacheRedis].filter((server) => server !== undefined)
    for (const server of ours) stops.push(() => server.stop())

    const launch = { options, root, dataDir, instances, servers, keys }
    const services: StackService[] = []
    stops.push(async () => {
      for (const service of services) await service.stop()
    })
    const start = async (instance: ServiceInstance) => {
      const server = await steps.run(instance.name, () => startInstance(instance, launch), describePorts(instance))
      services.push({ ...watch(server, dataDir, ours), instance })
    }
    const starts = await Promise.allSettled(instances.map(start))
    const failure = starts.find((result) => result.status === 'rejected')
    if (failure) throw failure.reason
    services.sort((a, b) => instances.indexOf(a.instance) - instances.indexOf(b.instance))
    const gateway = services.find(({ instance }) => instance.entry.name === GATEWAY)
    return {
      url: `http://127.0.0.1:${gateway?.instance.httpPort}`,
      databaseUrl: servers.databaseUrl,
      streamRedisUrl: servers.streamRedisUrl,
      cacheRedisUrl: servers.cacheRedisUrl,
      kafkaBrokers: servers.kafkaBrokers,
      writeKey: keys.write,
      adminKey: keys.admin,
      postgres,
      streamRedis,
      cacheRedis,
      kafka,
      services,
      failed,
      stop,
      processes: () =>
        [postgres, streamRedis, kafka, cacheRedis, ...services].flatMap((one) =>
          one ? [{ name: one.server.name, pid: one.server.pid }] : [],
        ),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Launch {
  options: StackOptions
  root: string
  dataDir: string
  instances: ServiceInstance[]
  servers: StackServers
  keys: { write: string; admin: string }
}

function startInstance(instance: ServiceInstance, launch: Launch): Promise<ServiceProcess> {
  const { options, root, dataDir, servers, keys } = launch
  const { name, entry } = instance
  const streamDir = (servers.streamRedis ?? servers.kafka)?.dir
  return startProcess({
    name,
    script: join(root, serviceProgram(entry.name)),
    cwd: root,
    adminPort: instance.adminPort,
    logFile: join(dataDir, 'log', `${name}.log`),
    nodeOptions: options.nodeOptions?.[name] ?? options.nodeOptions?.[entry.name],
    env: {
      ...process.env,
      DATABASE_URL: servers.local.databaseUrl,
      ...(servers.local.streamRedisUrl && { STREAM_REDIS_URL: servers.local.streamRedisUrl }),
      ...(servers.kafkaBrokers && { KAFKA_BROKERS: servers.kafkaBrokers }),
      CACHE_REDIS_URL: servers.local.cacheRedisUrl,
      ...(streamDir !== undefined && { STREAM_DISK_PATH: streamDir }),
      BOOTSTRAP_WRITE_KEY: keys.write,
      BOOTSTRAP_ADMIN_KEY: keys.admin,
      FORWARD_API_KEYS: process.env.FORWARD_API_KEYS || keys.write,
      SYSLOG_API_KEY: process.env.SYSLOG_API_KEY || keys.write,
      GELF_API_KEY: process.env.GELF_API_KEY || keys.write,
      // The default is below the data directory of each service, but all services must have the same archive.
      ARCHIVE_URL: process.env.ARCHIVE_URL || pathToFileURL(join(dataDir, 'archive')).href,
      ...instanceEnvironment(instance, launch.instances, dataDir),
      ...options.env,
      ...options.serviceEnv?.[entry.name],
      ...options.serviceEnv?.[name],
    },
  })
}

function describePorts({ httpPort, grpcPort, adminPort, wirePorts }: ServiceInstance): () => string {
  // FORWARD_PORT is shown as "forward".
  const wires = Object.entries(wirePorts).map(([setting, port]) => `${setting.split('_')[0]?.toLowerCase()} ${port}`)
  const parts = [httpPort && `HTTP ${httpPort}`, grpcPort && `gRPC ${grpcPort}`, ...wires, `admin ${adminPort}`]
  return () => parts.filter(Boolean).join(', ')
}

async function servicePort(options: StackOptions, { port, owner, isWished }: PortRequest): Promise<number> {
  if (options.ports === 'free' && !isWished) return await freePort()
  if (await isPortFree(port)) return port
  throw new Error(
    `${owner} needs port ${port}, which another program uses: stop that program, or start with ${isWished ? 'another HTTP_PORT' : 'MILLRACE_PORTS=free'}`,
  )
}

async function migrateAndSeed(root: string, databaseUrl: string, keys: Launch['keys']): Promise<void> {
  const script = join(root, 'packages/auth/dist/seed-cli.js')
  if (!existsSync(script)) throw new Error(`${script} is missing: the code is not built`)
  try {
    await promisify(execFile)(process.execPath, [script], {
      env: {
        ...process.env,
        DATABASE_URL: databaseUrl,
        BOOTSTRAP_WRITE_KEY: keys.write,
        BOOTSTRAP_ADMIN_KEY: keys.admin,
      },
      timeout: 600_000,
    })
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string }
    throw new Error(`migrating the database failed: ${stderr.trim() || message}`, { cause })
  }
}
