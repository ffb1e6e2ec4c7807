import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { KafkaProgram } from './find-kafka.js'
import { javaArchiveOptions } from './kafka-image.js'

/** Kafka's command-line tools, which its distribution starts by scripts of the same name. */
const CLASSES = {
  'kafka-acls': 'org.apache.kafka.tools.AclCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-storage': 'kafka.tools.StorageTool',
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
} as const

export type KafkaTool = keyof typeof CLASSES

const TOOL_MS = 120_000
const OUTPUT_BYTES_MAX = 16 * 1024 ** 2

/** Options of Java for a short run. */
const SHORT_RUN = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']

/** Writes a script for each tool into `directory`, named as in Kafka's distribution, so that its documentation applies. */
export function writeToolScripts(program: KafkaProgram, directory: string): void {
  const { java, libraries } = program
  const options = [...SHORT_RUN, ...javaArchiveOptions(program)]
  mkdirSync(directory, { recursive: true })
  for (const [tool, className] of Object.entries(CLASSES)) {
    const command = [java, ...options, '-cp', `${libraries}/*`, className].map(quoteForShell).join(' ')
    writeFileSync(join(directory, `${tool}.sh`), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 })
  }
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/**
 * Runs a tool of Kafka to its end and returns what it printed.
 * @throws an error with its output when it fails.
 */
export async function runKafkaTool(program: KafkaProgram, tool: KafkaTool, args: readonly string[]): Promise<string> {
  const all = [...SHORT_RUN, ...javaArchiveOptions(program), '-cp', `${program.libraries}/*`, CLASSES[tool], ...args]
  try {
    const options = { timeout: TOOL_MS, maxBuffer: OUTPUT_BYTES_MAX }
    return (await promisify(execFile)(program.java, all, options)).stdout
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string }
    throw new Error(`${tool} ${args.join(' ')} failed: ${`${stdout}${stderr}`.trim()}`, { cause })
  }
}
