import {
  findKafka,
  type KafkaCluster,
  type KafkaClusterOptions,
  type KafkaOptions,
  type KafkaProgram,
  type KafkaServer,
  startKafka,
  startKafkaCluster,
} from '@millrace/local-stack'
import { hold } from './leaks.js'
import { askForServer, untilKafkaStarts } from './server-broker.js'
import { withStop } from './test-redis.js'

/**
 * The programs of a Kafka broker. When Java or Maven is missing: returns the reason, and says once for each caller that the tests called `what` are
 * skipped, for example "the conformance of the Kafka driver".
 */
export function findTestKafka(what: string): KafkaProgram | string {
  const found = findKafka(['.cache'], (line) => void process.stderr.write(`${line}\n`))
  if (typeof found === 'string') process.stderr.write(`NOT TESTED: ${what}, because ${found}\n`)
  return found
}

/** The Kafka broker of this test run. Other tests use it as well: a test that kills, pauses or configures a broker takes `startTestKafka`. */
export interface TestKafka {
  /** For KAFKA_BROKERS, for example "127.0.0.1:20000". */
  readonly brokers: string
  /** No other caller of this run has the same: for names of topics and groups. */
  readonly prefix: string
}

/** The broker of this test run, which is started by the first call. Needs no release. */
export async function useTestKafka(): Promise<TestKafka> {
  const { url, grant } = await askForServer('kafka')
  return { brokers: url, prefix: `t${grant}` }
}

/** A Kafka broker for this test alone, to configure, kill, pause and restart; `stop` gives it back. */
export async function startTestKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  await untilKafkaStarts()
  const server = await startKafka(options)
  return withStop(server, hold(`Kafka broker on port ${server.port}`, server.stop))
}

/** A Kafka cluster of three brokers for this test alone; `stop` gives it back. */
export async function startTestKafkaCluster(options: KafkaClusterOptions = {}): Promise<KafkaCluster> {
  await untilKafkaStarts()
  const cluster = await startKafkaCluster(options)
  return withStop(cluster, hold('Kafka cluster', cluster.stop))
}
