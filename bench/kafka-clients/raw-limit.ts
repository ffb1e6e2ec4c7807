import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { KafkaProgram, KafkaServer } from '@millrace/local-stack'
import type { Target } from './contestant.js'

const JAVA_OPTIONS = ['-Xmx256m', '-XX:+UseSerialGC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']
const PRODUCER = 'org.apache.kafka.tools.ProducerPerformance'
const CONSUMER = 'org.apache.kafka.tools.ConsumerPerformance'

/** Frames a second of Kafka's own performance tools with the settings of the driver: acks=all, no idempotence, no compression. */
export class RawLimit {
  readonly #program: KafkaProgram
  readonly #server: KafkaServer

  constructor(program: KafkaProgram, server: KafkaServer) {
    this.#program = program
    this.#server = server
  }

  async produce({ topic }: Target, frameBytes: number, frames: number): Promise<number> {
    const settings = ['acks=all', 'enable.idempotence=false', 'compression.type=none', 'linger.ms=0']
    const text = await this.#run(PRODUCER, [
      ...['--topic', topic, '--num-records', `${frames}`, '--record-size', `${frameBytes}`, '--throughput', '-1'],
      ...['--producer-props', `bootstrap.servers=${this.#server.brokers}`, ...settings],
    ])
    const last = text.trim().split('\n').at(-1) ?? ''
    return numberIn(/ ([\d.]+) records\/sec/.exec(last)?.[1], text)
  }

  async fetch({ topic }: Target, frames: number): Promise<number> {
    const text = await this.#run(CONSUMER, [
      ...['--bootstrap-server', this.#server.brokers, '--topic', topic, '--messages', `${frames}`],
      ...['--reporting-interval', '1000000'],
    ])
    const [names = '', values = ''] = text.trim().split('\n').slice(-2)
    const column = names.split(',').findIndex((name) => name.trim() === 'fetch.nMsg.sec')
    return numberIn(values.split(',')[column], text)
  }

  async #run(tool: string, args: readonly string[]): Promise<string> {
    const { java, libraries } = this.#program
    const { stdout } = await promisify(execFile)(java, [...JAVA_OPTIONS, '-cp', `${libraries}/*`, tool, ...args])
    return stdout
  }
}

function numberIn(text: string | undefined, output: string): number {
  const value = Number(text)
  if (text === undefined || Number.isNaN(value)) throw new Error(`unexpected output: ${output}`)
  return value
}
