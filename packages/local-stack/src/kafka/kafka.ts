import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Child, startChild } from '../child.js'
import { type EndSignal, isInTemporaryDirectory } from '../orphans.js'
import { freePort } from '../ports.js'
import { extendServer, type Server, startServer } from '../server.js'
import { removeTemporary, temporaryDirectory } from '../temporary.js'
import {
  brokerProperties,
  formatProperties,
  type KafkaNode,
  type KafkaSecurity,
  tlsFiles,
} from './broker-properties.js'
import { findKafka, type KafkaProgram } from './find-kafka.js'
import { createKafkaImage, formatFromImage, javaArchiveOptions } from './kafka-image.js'
import { type KafkaTool, runKafkaTool, writeToolScripts } from './kafka-tool.js'

export interface KafkaOptions {
  /** Default: found by `findKafka`, which may download it. */
  program?: KafkaProgram | undefined
  /** Kept between runs. Default: a temporary one, removed by `stop`. */
  dir?: string | undefined
  /** For clients. Default: a free one. */
  port?: number | undefined
  /** Properties of the broker by name, above our defaults. */
  settings?: Record<string, string> | undefined
  /** Default: clients need neither TLS nor a login. */
  security?: KafkaSecurity | undefined
  /** Options of Java, above our defaults, which keep the broker small: a heap of at most 512 MB and only the first compiler. */
  javaOptions?: readonly string[] | undefined
  /** Used in messages. Default "Kafka". */
  name?: string | undefined
  /** Default: in `dir`. */
  logFile?: string | undefined
  /** Time allowed for a start, recovery included, in milliseconds. Default 120,000. */
  readyDeadlineMs?: number | undefined
  /** Where the jars may be; missing ones are kept in the last of them. Default: `.cache` under the working directory. */
  cacheDirs?: readonly string[] | undefined
  /** Told what is being downloaded, if anything. */
  say?: ((line: string) => void) | undefined
  /** Default: a cluster of this node alone. */
  cluster?: KafkaMember | undefined
}

/** A node's part in a cluster. */
export interface KafkaMember {
  nodeId: number
  /** The same for all nodes of the cluster. */
  clusterId: string
  /** Controller ports of all nodes by id. */
  voters: Readonly<Record<number, number>>
}

/** One Kafka broker on 127.0.0.1, which is also a controller. */
export interface KafkaServer extends Server {
  /** For KAFKA_BROKERS, for example "127.0.0.1:19092". */
  readonly brokers: string
  readonly port: number
  /** Port of the listener that needs neither TLS nor a login. The same as `port` without `security`. */
  readonly internalPort: number
  readonly nodeId: number
  readonly dir: string
  readonly version: string
  /** Directory of Kafka's command-line tools as scripts, for example kafka-consumer-groups.sh. */
  readonly toolsDir: string
  /** Runs a command-line tool of Kafka against this broker, over the listener that needs no login, and returns what it printed. */
  tool(tool: KafkaTool, ...args: string[]): Promise<string>
}

const JAVA_OPTIONS = [
  '-Xms64m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.logFile=System.out',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
]

/** A broker whose peers are gone cannot hand over its partitions and waits for them. It loses nothing when it is killed. */
const STOP_GRACE_MS = 10_000

/**
 * Starts a Kafka broker as a child process, from jars that Maven resolves.
 * @throws with the reason when there is no Java or no Maven, and with the broker's last lines when it dies at start.
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  const { name = 'Kafka', security, readyDeadlineMs = 120_000 } = options
  const program = options.program ?? findKafka(options.cacheDirs ?? ['.cache'], options.say)
  if (typeof program === 'string') throw new Error(program)
  const base = options.dir === undefined ? temporaryDirectory('millrace-kafka-') : undefined
  const dir = resolve(options.dir ?? `${base}`)
  const node = await planNode(options, dir)
  const properties = { ...brokerProperties(node), ...options.settings, 'log.dirs': join(dir, 'data') }
  const file = join(dir, 'server.properties')
  writeNodeFiles(node, file, properties)
  const toolsDir = join(dir, 'bin')
  writeToolScripts(program, toolsDir)
  const logFile = options.logFile ?? join(dir, 'kafka.log')
  const endSignal: EndSignal = isInTemporaryDirectory(dir) ? 'SIGKILL' : 'SIGTERM'
  const given = options.javaOptions ?? []
  const java = [
    ...JAVA_OPTIONS,
    ...javaArchiveOptions(program),
    ...given,
    '-cp',
    `${program.libraries}/*`,
    'kafka.Kafka',
    file,
  ]
  let child: Child | undefined
  const spawn = async () => {
    await format({ program, dir, properties, clusterId: options.cluster?.clusterId, users: security?.users ?? {} })
    child = await startChild({
      name,
      endSignal,
      command: program.java,
      args: java,
      env: process.env,
      logFile,
      cwd: dir,
    })
    return child
  }
  const server = await startServer({
    name,
    logFile,
    spawn,
    // It is written after the broker has registered with the controller. It accepts connections much earlier.
    isReady: async () => child?.tail(200).includes('Kafka Server started') ?? false,
    readyDeadlineMs,
    stopSignal: 'SIGTERM',
    stopGraceMs: STOP_GRACE_MS,
    cleanUp: () => base && removeTemporary(base),
  })
  const { client: port, internal: internalPort } = node.ports
  const kafka = extendServer(server, {
    brokers: `127.0.0.1:${port}`,
    port,
    internalPort,
    nodeId: node.id,
    dir,
    version: program.version,
    toolsDir,
    tool: (tool: KafkaTool, ...args: string[]) =>
      runKafkaTool(program, tool, ['--bootstrap-server', `127.0.0.1:${internalPort}`, ...args]),
  })
  if (!options.cluster) await applyDenials(kafka, security)
  return kafka
}

/**
 * Prepares the directory with the jars for many starts of brokers, unless it is prepared: each takes less than half of the processor time afterwards. To be called
 * before the first of them.
 */
export async function prepareKafkaStarts(program: KafkaProgram): Promise<void> {
  await createKafkaImage(program, (javaOptions) =>
    startKafka({ program, javaOptions, name: 'Kafka for its class archive' }),
  )
}

/** Forbids what `security` denies. The cluster keeps it. */
export async function applyDenials(server: KafkaServer, security: KafkaSecurity | undefined): Promise<void> {
  if (!security?.denials) return
  // Once a topic has a rule, what no rule allows is forbidden.
  await server.tool('kafka-acls', '--add', '--allow-principal', 'User:*', '--operation', 'All', '--topic', '*')
  for (const { user, operation } of security.denials)
    await server.tool(
      'kafka-acls',
      '--add',
      '--deny-principal',
      `User:${user}`,
      '--operation',
      operation,
      '--topic',
      '*',
    )
}

/** For `KafkaMember`. The command-line tools take an id that starts with a dash for an option. */
export function createClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

async function planNode({ cluster, port, security }: KafkaOptions, dir: string): Promise<KafkaNode> {
  const id = cluster?.nodeId ?? 1
  const controller = cluster?.voters[id] ?? (await freePort())
  const client = port ?? (await freePort())
  const internal = security ? await freePort() : client
  return { id, ports: { client, controller, internal }, voters: cluster?.voters ?? { [id]: controller }, security, dir }
}

/** The files hold passwords and a key. */
function writeNodeFiles(node: KafkaNode, file: string, properties: Record<string, string>): void {
  mkdirSync(node.dir, { recursive: true })
  const files = { ...tlsFiles(node), [file]: formatProperties(properties) }
  for (const [path, content] of Object.entries(files)) writeFileSync(path, content, { mode: 0o600 })
}

interface FormatPlan {
  program: KafkaProgram
  dir: string
  properties: Record<string, string>
  clusterId: string | undefined
  users: Readonly<Record<string, string>>
}

/** Prepares a new data directory. It appears under its final name when it is complete, so that an interrupted start leaves nothing half-prepared. */
async function format({ program, dir, properties, clusterId, users }: FormatPlan): Promise<void> {
  const data = join(dir, 'data')
  if (existsSync(data)) return
  const part = join(dir, 'data.new')
  const file = join(dir, 'format.properties')
  rmSync(part, { recursive: true, force: true })
  const node = { data: part, id: `${properties['node.id']}`, clusterId: clusterId ?? createClusterId() }
  if (Object.keys(users).length === 0 && formatFromImage(program, node)) return renameSync(part, data)
  writeFileSync(file, formatProperties({ ...properties, 'log.dirs': part }), { mode: 0o600 })
  const scram = Object.entries(users).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((kind) => [
      '--add-scram',
      `${kind}=[name=${name},password=${password}]`,
    ]),
  )
  await runKafkaTool(program, 'kafka-storage', ['format', '-t', node.clusterId, '-c', file, ...scram])
  rmSync(file)
  renameSync(part, data)
}
