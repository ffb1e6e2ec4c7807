import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { CLUSTER_BYTES, checkSpace } from './disk.js'
import { findKafka, type KafkaProgram } from './kafka/find-kafka.js'
import { type KafkaServer, startKafka } from './kafka/kafka.js'
import { isReachableBy, postgresUser } from './os-user.js'
import { freePort, isPortFree } from './ports.js'
import { type PostgresServer, startPostgres } from './postgres.js'
import { clusterMajor, WAL_SEGMENT_BYTES } from './postgres-cluster.js'
import { type RedisServer, startRedis } from './redis.js'
import type { Server } from './server.js'
import { SERVER_PORTS } from './services.js'
import type { StackOptions } from './stack-options.js'
import { stackPostgresSettings, WAL_SEGMENTS } from './stack-postgres-settings.js'
import type { Steps } from './steps.js'

/** URLs of the servers that the services use, and the servers that this stack started and has to stop. */
export interface StackServers {
  databaseUrl: string
  /** Undefined when the stream is on Kafka. */
  streamRedisUrl: string | undefined
  cacheRedisUrl: string
  /** For KAFKA_BROKERS. Undefined when the stream is on Redis. */
  kafkaBrokers: string | undefined
  /** The same for processes on this machine, by Unix sockets where possible: they cost both sides less than TCP. */
  local: { databaseUrl: string; streamRedisUrl: string | undefined; cacheRedisUrl: string }
  postgres: PostgresServer | undefined
  streamRedis: RedisServer | undefined
  cacheRedis: RedisServer | undefined
  kafka: KafkaServer | undefined
}

export interface ServerContext {
  options: StackOptions
  dataDir: string
  /** Root of the repository. */
  root: string
  steps: Steps
  /** Called with each server as soon as it runs, so that a later failure can stop it. */
  keep: <S extends Server>(server: S) => S
}

/** Checks, before anything is created, that the disk has room for the servers that this stack starts itself. @throws see `checkSpace` */
export function checkStackSpace(options: StackOptions, dataDir: string): void {
  checkSpace(dataDir, 0)
  if (process.env.DATABASE_URL || options.env?.DATABASE_URL) return
  const directory = postgresDirectory(dataDir, () => undefined)
  const isFirst = clusterMajor(directory) === undefined
  checkSpace(directory, isFirst ? CLUSTER_BYTES + (options.walSegments ?? WAL_SEGMENTS) * WAL_SEGMENT_BYTES : 0)
}

/**
 * Starts the servers that the environment does not name by DATABASE_URL, STREAM_REDIS_URL, CACHE_REDIS_URL, or REDIS_URL for both; with STREAM_DRIVER kafka
 * by KAFKA_BROKERS instead of STREAM_REDIS_URL.
 */
export async function startStackServers(context: ServerContext): Promise<StackServers> {
  const env = { ...process.env, ...context.options.env }
  const named = {
    database: env.DATABASE_URL,
    stream: env.STREAM_REDIS_URL || env.REDIS_URL,
    cache: env.CACHE_REDIS_URL || env.REDIS_URL,
  }
  const isOnKafka = env.STREAM_DRIVER === 'kafka'
  // Before anything is started, since it may have to download the broker.
  const program = isOnKafka && !env.KAFKA_BROKERS ? findStackKafka(context) : undefined
  const postgres = named.database ? undefined : await startDatabase(context)
  const streamRedis = named.stream || isOnKafka ? undefined : await startStreamRedis(context)
  const kafka = program && (await startStackKafka(context, program))
  const cacheRedis = named.cache ? undefined : await startCacheRedis(context)
  return {
    databaseUrl: postgres?.url ?? `${named.database}`,
    streamRedisUrl: isOnKafka ? undefined : (streamRedis?.url ?? `${named.stream}`),
    cacheRedisUrl: cacheRedis?.url ?? `${named.cache}`,
    kafkaBrokers: isOnKafka ? (kafka?.brokers ?? `${env.KAFKA_BROKERS}`) : undefined,
    local: {
      databaseUrl: postgres?.localUrl ?? `${named.database}`,
      streamRedisUrl: isOnKafka ? undefined : (streamRedis?.localUrl ?? `${named.stream}`),
      cacheRedisUrl: cacheRedis?.localUrl ?? `${named.cache}`,
    },
    postgres,
    streamRedis,
    cacheRedis,
    kafka,
  }
}

/** Where the jars of a Kafka broker may be: tests keep them in the checkout. */
export function kafkaCacheDirs(root: string, dataDir: string): readonly string[] {
  return [join(root, '.cache'), join(dataDir, 'cache')]
}

/** @throws the reason and the remedy when there is no Java or no Maven */
function findStackKafka({ options, root, dataDir }: ServerContext): KafkaProgram {
  const program = findKafka(kafkaCacheDirs(root, dataDir), options.say)
  if (typeof program === 'string') throw new Error(`${program}; or set KAFKA_BROKERS to the brokers of a cluster`)
  return program
}

/** More patient than the brokers of tests, so that a busy machine is not taken for a broker that is gone. Topics of others expire as by Kafka's default. */
const KAFKA_SETTINGS = {
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'log.retention.ms': '604800000',
}

async function startStackKafka(
  { options, dataDir, steps, keep }: ServerContext,
  program: KafkaProgram,
): Promise<KafkaServer> {
  const start = async () =>
    startKafka({
      program,
      dir: join(dataDir, 'kafka'),
      port: await serverPort(options, SERVER_PORTS.kafka),
      settings: { ...KAFKA_SETTINGS, ...options.kafkaSettings },
      logFile: join(dataDir, 'log', 'kafka.log'),
    })
  return keep(await steps.run('Kafka', start, ({ version, port }) => `${version} from the jars of Maven, port ${port}`))
}

/** Limit of the memory of streams: when nobody reads them, requests are spooled and then refused before the machine runs out of memory. */
const STREAM_MEMORY_MAX = '1gb'

async function startDatabase({ options, dataDir, steps, keep }: ServerContext): Promise<PostgresServer> {
  const start = async () =>
    startPostgres({
      dataDir: postgresDirectory(dataDir, options.say),
      port: await serverPort(options, SERVER_PORTS.postgres),
      binaries: options.postgresBinaries,
      auth: options.postgresAuth ?? 'scram',
      walSegments: options.walSegments ?? WAL_SEGMENTS,
      settings: { ...stackPostgresSettings(), ...options.postgresSettings },
      logFile: join(dataDir, 'log', 'postgres.log'),
    })
  return keep(
    await steps.run(
      'PostgreSQL',
      start,
      ({ version, binaries, port }) => `${version}, ${binaries} programs, port ${port}`,
    ),
  )
}

function startStreamRedis(context: ServerContext): Promise<RedisServer> {
  const settings = { maxmemory: STREAM_MEMORY_MAX, ...context.options.streamRedisSettings }
  return startStackRedis(context, {
    name: 'Redis for streams',
    folder: 'redis-stream',
    port: SERVER_PORTS.streamRedis,
    settings,
    appendonly: true,
  })
}

function startCacheRedis(context: ServerContext): Promise<RedisServer> {
  const settings = { maxmemory: '128mb', 'maxmemory-policy': 'allkeys-lru', ...context.options.cacheRedisSettings }
  return startStackRedis(context, {
    name: 'Redis for the cache',
    folder: 'redis-cache',
    port: SERVER_PORTS.cacheRedis,
    settings,
    appendonly: false,
  })
}

interface RedisPlan {
  name: string
  folder: string
  port: number
  settings: Record<string, string>
  appendonly: boolean
}

async function startStackRedis(
  { options, dataDir, steps, keep }: ServerContext,
  plan: RedisPlan,
): Promise<RedisServer> {
  const { name, settings, appendonly } = plan
  const start = async () =>
    startRedis({
      name,
      settings,
      appendonly,
      dir: join(dataDir, plan.folder),
      port: await serverPort(options, plan.port),
      logFile: join(dataDir, 'log', `${plan.folder}.log`),
      cacheDir: join(dataDir, 'cache'),
      say: options.say,
    })
  return keep(await steps.run(name, start, ({ version, port }) => `${version}, port ${port}`))
}

/** Nothing depends on these ports, so a port that is in use is replaced by a free one. */
async function serverPort(options: StackOptions, preferred: number): Promise<number> {
  return options.ports !== 'free' && (await isPortFree(preferred)) ? preferred : await freePort()
}

/** When we are root, PostgreSQL runs as another user, who may not be allowed to enter a directory below root's home. */
export function postgresDirectory(dataDir: string, say: (line: string) => void): string {
  const inside = join(dataDir, 'postgres')
  const user = postgresUser()
  if (!user || isReachableBy(user, inside)) return inside
  const key = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const outside = join('/var/lib/millrace', key, 'postgres')
  say(
    `PostgreSQL runs as ${user.name}, who may not enter ${dataDir}: its data is in ${outside}; it stays there when the checkout is deleted, and "rm -r ${dirname(outside)}" removes it`,
  )
  return outside
}
