import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { removeTemporary, temporaryDirectory } from '../temporary.js'
import { waitFor } from '../wait.js'
import { findKafka, type KafkaProgram } from './find-kafka.js'
import { type KafkaOptions, type KafkaServer, prepareKafkaStarts, startKafka } from './kafka.js'
import { startKafkaCluster } from './kafka-cluster.js'
import { runKafkaTool } from './kafka-tool.js'
import { readPartitions } from './read-partitions.js'

const found = findKafka(['.cache'])
const describeWithKafka = typeof found === 'string' ? describe.skip : describe
if (typeof found === 'string') process.stderr.write(`NOT TESTED: Kafka brokers as local processes, because ${found}\n`)
const program = found as KafkaProgram

/** For several starts of a broker. */
const TEST_MS = 240_000
/** A password with the characters that a properties file and a JAAS configuration treat specially. */
const PASSWORD = 'pa\\ss "word'

const releases: (() => unknown)[] = []
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release()
})

function directory(): string {
  const path = temporaryDirectory('millrace-kafka-test-')
  releases.push(() => removeTemporary(path))
  return path
}

async function start(options: KafkaOptions = {}): Promise<KafkaServer> {
  const server = await startKafka({ program, ...options })
  releases.push(() => server.stop())
  return server
}

describeWithKafka('a Kafka broker', () => {
  let dir: string
  let server: KafkaServer
  /** What is left by a start that was killed while it prepared the directory. */
  beforeAll(async () => {
    dir = temporaryDirectory('millrace-kafka-test-')
    mkdirSync(join(dir, 'data.new'))
    writeFileSync(join(dir, 'data.new/meta.properties'), 'version=1\n')
    server = await startKafka({ program, dir })
  }, TEST_MS)
  afterAll(async () => {
    await server.stop()
    removeTemporary(dir)
  })

  test('prepares its data directory anew when it was killed while it prepared it', () => {
    expect(readFileSync(join(dir, 'data/meta.properties'), 'utf8')).toContain('cluster.id')
  })

  test(
    'keeps its port and its topics when it is killed and started again, also by a later start on its directory',
    async () => {
      const { port, brokers } = server
      await server.tool('kafka-topics', '--create', '--topic', 'kept', '--partitions', '3')
      await server.kill()
      await server.restart()
      expect(await readPartitions(port, 'kept')).toHaveLength(3)
      await server.stop()
      server = await startKafka({ program, dir, port })
      expect(server.brokers).toBe(brokers)
      expect(await readPartitions(port, 'kept')).toHaveLength(3)
    },
    TEST_MS,
  )

  test(
    'refuses to start on a port that is in use, with the reason in the error',
    async () => {
      await expect(start({ dir: directory(), port: server.port })).rejects.toThrow(/bind to .*: Address already in use/)
    },
    TEST_MS,
  )

  test(
    'takes its classes from an archive and its first files from an earlier cluster, once both are prepared',
    async () => {
      await prepareKafkaStarts(program)
      const broker = await start({ javaOptions: ['-Xlog:class+load=info'] })
      expect(readFileSync(broker.logFile, 'utf8')).toContain('shared objects file (top)')
      expect(readFileSync(join(broker.dir, 'data/bootstrap.checkpoint'))).toEqual(
        readFileSync(`${program.libraries}.checkpoint`),
      )
      await broker.tool('kafka-topics', '--create', '--topic', 'kept', '--partitions', '3')
      await broker.restart()
      expect(await readPartitions(broker.port, 'kept')).toHaveLength(3)
    },
    TEST_MS,
  )
})

describeWithKafka('a Kafka broker with security', () => {
  test(
    'lets in clients with TLS and a right password by PLAIN and by SCRAM, and refuses a wrong password',
    async () => {
      const dir = directory()
      const tls = createCertificate(dir)
      const { brokers } = await start({ security: { users: { ada: PASSWORD }, tls } })
      const list = (mechanism: string, password: string) =>
        runKafkaTool(program, 'kafka-topics', [
          ...['--bootstrap-server', brokers, '--list'],
          ...['--command-config', clientConfig(dir, mechanism, password)],
        ])
      for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
        expect(await list(mechanism, PASSWORD)).toBe('\n')
      // A JVM for each: the other mechanisms are in the tests of packages/streams.
      await expect(list('SCRAM-SHA-512', 'wrong')).rejects.toThrow(/Authentication failed/)
    },
    TEST_MS,
  )

  test(
    'forbids a user the deletion of records that it denies, and allows it to others',
    async () => {
      const dir = directory()
      const denials = [{ user: 'ada', operation: 'Delete' }] as const
      const server = await start({ security: { users: { ada: PASSWORD, bob: PASSWORD }, denials } })
      await server.tool('kafka-topics', '--create', '--topic', 'events', '--partitions', '1')
      const file = join(dir, 'offsets.json')
      writeFileSync(file, '{"partitions": [{"topic": "events", "partition": 0, "offset": 0}], "version": 1}')
      const deleteRecords = (user: string) =>
        runKafkaTool(program, 'kafka-delete-records', [
          ...['--bootstrap-server', server.brokers, '--offset-json-file', file],
          ...['--command-config', clientConfig(dir, 'PLAIN', PASSWORD, user)],
        ])
      expect(await deleteRecords('ada').catch((error: Error) => error.message)).toMatch(/[Aa]uthoriz/)
      expect(await deleteRecords('bob')).toMatch(/low_watermark: 0/)
    },
    TEST_MS,
  )
})

describeWithKafka('a Kafka cluster', () => {
  test(
    'replicates topics to three brokers and elects another controller when the controller is killed',
    async () => {
      const cluster = await startKafkaCluster({ program })
      releases.push(() => cluster.stop())
      const killed = await cluster.controller()
      const other = cluster.nodes.find(({ nodeId }) => nodeId !== killed.nodeId) as KafkaServer
      await other.tool(
        'kafka-topics',
        '--create',
        '--topic',
        'events',
        '--partitions',
        '1',
        '--replication-factor',
        '3',
      )
      await killed.kill()
      const next = await waitFor(
        async () => {
          const node = await cluster.controller()
          return node.nodeId !== killed.nodeId && node
        },
        { deadlineMs: TEST_MS / 4 },
      )
      const inSync = async () => {
        const [partition] = await readPartitions(next.internalPort, 'events')
        expect(partition).toMatchObject({ partition: 0, replicas: expect.arrayContaining([1, 2, 3]) })
        expect(partition?.leader === -1 || partition?.inSync.includes(partition.leader)).toBe(true)
        return partition?.inSync.length
      }
      await waitFor(async () => (await inSync()) === 2, { deadlineMs: TEST_MS / 4 })
      await killed.restart()
      await waitFor(async () => (await inSync()) === 3, { deadlineMs: TEST_MS / 4 })
      await expect(readPartitions(next.internalPort, 'unknown')).rejects.toThrow(/does not describe the topic unknown/)
    },
    TEST_MS,
  )
})

describe('the search for a Kafka broker', () => {
  /** Searches where only these shell scripts are on PATH, and no jars of earlier runs are there. */
  const search = (scripts: Record<string, string>) => findKafka([directory()], () => {}, { PATH: programs(scripts) })

  test('names Java as the reason when there is none, and how to install it', () => {
    expect(search({})).toMatch(/needs Java 17 or newer.*apt-get install openjdk-17/)
  })

  test('names Java as the reason when it is too old', () => {
    expect(search({ java: 'echo \'openjdk version "11.0.2"\' >&2' })).toMatch(/needs Java 17 or newer/)
  })

  test('names Maven as the reason when it is missing, and what Maven said when it failed', () => {
    const java = 'echo \'openjdk version "21.0.2"\' >&2'
    expect(search({ java })).toMatch(/there is no program mvn on PATH: install Maven/)
    expect(search({ java, mvn: 'echo "[ERROR] Could not transfer artifact -> [Help 1]"; exit 1' })).toMatch(
      /could not resolve the jars .*\(Could not transfer artifact\): check the network/,
    )
  })
})

/** A directory with shell scripts. */
function programs(scripts: Record<string, string>): string {
  const path = directory()
  for (const [name, script] of Object.entries(scripts))
    writeFileSync(join(path, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return path
}

/** Of a server on 127.0.0.1, signed by itself. */
function createCertificate(dir: string): { certificate: string; key: string } {
  const [keyFile, file] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')]
  const subject = ['-subj', '/CN=broker', '-addext', 'subjectAltName=IP:127.0.0.1']
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-keyout', keyFile, '-out', file]
  const { status, stderr } = spawnSync('openssl', [...args, ...subject], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`openssl: ${stderr}`)
  return { certificate: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8') }
}

function clientConfig(dir: string, mechanism: string, password: string, user = 'ada'): string {
  const hasTls = existsSync(join(dir, 'certificate.pem'))
  const module = mechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  const quoted = password.replaceAll('\\', '\\\\').replaceAll('"', '\\"')
  const login = `username="${user}" password="${quoted}"`
  const file = join(dir, 'client.properties')
  const lines = [
    `security.protocol=${hasTls ? 'SASL_SSL' : 'SASL_PLAINTEXT'}`,
    `sasl.mechanism=${mechanism}`,
    `sasl.jaas.config=org.apache.kafka.common.security.${module} required ${login};`.replaceAll('\\', '\\\\'),
    ...(hasTls ? ['ssl.truststore.type=PEM', `ssl.truststore.location=${join(dir, 'certificate.pem')}`] : []),
  ]
  writeFileSync(file, lines.join('\n'))
  return file
}
