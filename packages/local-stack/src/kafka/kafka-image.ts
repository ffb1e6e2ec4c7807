import { randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { waitFor } from '../wait.js'
import type { KafkaProgram } from './find-kafka.js'

/*
 * What makes the start of a broker cheap. Beside the jars, for all brokers of this version: Java's class-data archive, with which a JVM loads Kafka's
 * classes in less than half of the processor time, and the file that `kafka-storage format` writes for a new cluster, which saves a JVM.
 */

/** A broker that writes its classes to a file when it ends. */
interface RecordingBroker {
  readonly dir: string
  readonly exited: Promise<unknown>
  kill(signal: NodeJS.Signals): Promise<void>
  stop(): Promise<void>
}

/** Time for a JVM to write the archive, on a slow machine. */
const WRITE_MS = 60_000

/**
 * Makes what `javaArchiveOptions` and `formatFromImage` use, unless it is there. Takes about five seconds of processor time, so it is for callers that start many brokers.
 * Without it brokers start as well.
 * @param start starts a broker with these options of Java
 */
export async function createKafkaImage(
  program: KafkaProgram,
  start: (javaOptions: string[]) => Promise<RecordingBroker>,
): Promise<void> {
  const archive = archiveFile(program)
  if (existsSync(archive)) return
  const part = `${archive}.${process.pid}`
  const broker = await start([`-XX:ArchiveClassesAtExit=${part}`, ...QUIET])
  let hasEnded = false
  void broker.exited.then(() => {
    hasEnded = true
  })
  copyFileSync(join(broker.dir, 'data', CHECKPOINT), `${part}.checkpoint`)
  await broker.kill('SIGTERM')
  await waitFor(() => hasEnded, { deadlineMs: WRITE_MS }).catch(() => undefined)
  await broker.stop()
  renameSync(`${part}.checkpoint`, checkpointFile(program))
  // A JVM that was killed leaves none.
  if (existsSync(part)) renameSync(part, archive)
}

/** Options for a JVM that runs Kafka's classes. An archive of another version of Java is ignored by the JVM. */
export function javaArchiveOptions(program: KafkaProgram): string[] {
  const archive = archiveFile(program)
  return existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`, ...QUIET] : []
}

/** Writes what `kafka-storage format` writes for a new node of a cluster, without users. Returns false when that is not known yet. */
export function formatFromImage(program: KafkaProgram, node: { data: string; id: string; clusterId: string }): boolean {
  const checkpoint = checkpointFile(program)
  if (!existsSync(checkpoint)) return false
  mkdirSync(node.data)
  copyFileSync(checkpoint, join(node.data, CHECKPOINT))
  const properties = {
    version: '1',
    'node.id': node.id,
    'cluster.id': node.clusterId,
    'directory.id': randomBytes(16).toString('base64url'),
  }
  const lines = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(join(node.data, 'meta.properties'), lines.join(''))
  return true
}

/** Classes that cannot be archived, and archives that do not fit, are no concern of whoever reads the log. */
const QUIET = ['-Xlog:cds=off', '-Xlog:cds+dynamic=off']
/** The first metadata of a cluster: the versions of its features. */
const CHECKPOINT = 'bootstrap.checkpoint'

function archiveFile({ libraries }: KafkaProgram): string {
  return `${libraries}.jsa`
}

function checkpointFile({ libraries }: KafkaProgram): string {
  return `${libraries}.checkpoint`
}
