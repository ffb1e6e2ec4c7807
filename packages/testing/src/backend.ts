import { findKafka, prepareKafkaStarts, startKafka, startPostgres, startRedis } from '@millrace/local-stack'

export interface RunningServer {
  url: string
  /** One phrase, for example "18.4, embedded, a local process". */
  backend: string
  stop(): Promise<void>
}

export interface Backend {
  postgres(): Promise<RunningServer>
  redis(): Promise<RunningServer>
  /** Its `url` is a list of brokers, for KAFKA_BROKERS. Always a local process. */
  kafka(): Promise<RunningServer>
}

/** Enough logical databases for every `createTestRedis` of a run. */
const REDIS_DATABASES = '16384'

/**
 * Local processes by default. Containers when MILLRACE_TEST_BACKEND is `containers`, or when a local server cannot be started and a container engine is
 * available.
 */
export async function chooseBackend(): Promise<Backend> {
  if (process.env.MILLRACE_TEST_BACKEND === 'containers') return await containers()
  return {
    postgres: () => orContainers(localPostgres, (backend) => backend.postgres()),
    redis: () => orContainers(localRedis, (backend) => backend.redis()),
    kafka: localKafka,
  }
}

async function localPostgres(): Promise<RunningServer> {
  // A test ends processes, not the machine, and all tests of a run would wait for each other's disk flushes.
  const server = await startPostgres({ settings: { max_connections: '200', fsync: 'off' } })
  return { url: server.url, backend: `${server.version}, ${server.binaries}, a local process`, stop: server.stop }
}

async function localRedis(): Promise<RunningServer> {
  const server = await startRedis({ settings: { databases: REDIS_DATABASES } })
  return { url: server.url, backend: `${server.version}, a local process`, stop: server.stop }
}

/**
 * Makes the starts of Kafka brokers cheap, once for each directory of jars: the tests of a run start dozens. Does nothing where brokers cannot be started.
 */
export async function prepareKafka(): Promise<void> {
  const program = findKafka(['.cache'], (line) => void process.stderr.write(`${line}\n`))
  if (typeof program !== 'string') await prepareKafkaStarts(program)
}

async function localKafka(): Promise<RunningServer> {
  const server = await startKafka()
  return { url: server.brokers, backend: `${server.version}, a local process`, stop: server.stop }
}

async function orContainers(
  local: () => Promise<RunningServer>,
  inContainer: (backend: Backend) => Promise<RunningServer>,
): Promise<RunningServer> {
  try {
    return await local()
  } catch (error) {
    const backend = await containers().catch(() => undefined)
    if (!backend) throw error
    return await inContainer(backend)
  }
}

/** Imported only here, since loading it takes half a second. Rejects when there is no container engine. */
async function containers(): Promise<Backend> {
  const { GenericContainer, getContainerRuntimeClient, Wait } = await import('testcontainers')
  await getContainerRuntimeClient()
  return {
    postgres: async () => {
      const container = await new GenericContainer('postgres:18-alpine')
        .withEnvironment({ POSTGRES_HOST_AUTH_METHOD: 'trust', POSTGRES_DB: 'millrace' })
        .withExposedPorts(5432)
        .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
        .start()
      const url = `postgres://postgres@${container.getHost()}:${container.getMappedPort(5432)}/millrace`
      return { url, backend: '18, a container', stop: async () => void (await container.stop()) }
    },
    redis: async () => {
      const container = await new GenericContainer('redis:7-alpine')
        .withCommand(['redis-server', '--databases', REDIS_DATABASES, '--appendonly', 'yes', '--appendfsync', 'always'])
        .withExposedPorts(6379)
        .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
        .start()
      const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
      return { url, backend: '7, a container', stop: async () => void (await container.stop()) }
    },
    kafka: localKafka,
  }
}
