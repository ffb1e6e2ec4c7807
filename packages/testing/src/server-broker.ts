import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Backend, chooseBackend, prepareKafka, type RunningServer } from './backend.js'

/** Path under which a worker asks to be told when Kafka brokers of its own can be started. */
const KAFKA_STARTS = 'kafka-starts'

const NAMES = { postgres: 'PostgreSQL', redis: 'Redis', kafka: 'Kafka' } as const

type ServerKind = keyof typeof NAMES

/** The environment variable by which workers find the broker. */
export const BROKER_VARIABLE = 'MILLRACE_TEST_SERVERS'

export interface ServerBroker {
  /** For example "http://127.0.0.1:20000". */
  url: string
  /** Stops the servers that were started. */
  stop(): Promise<void>
}

/** The answer to a worker. */
export interface GrantedServer {
  url: string
  /** Which backend runs it, for messages. */
  backend: string
  /** Number of this request for the server, from 1. No other caller of this run has the same number. */
  grant: number
}

/**
 * One PostgreSQL, one Redis and one Kafka broker for a whole test run, each started when the first test asks for it; a run of pure tests starts none. Workers ask by
 * `GET /postgres`, `GET /redis` and `GET /kafka`. `GET /kafka-starts` is answered when the starts of Kafka brokers are prepared. DATABASE_URL_TEST, REDIS_URL_TEST and KAFKA_BROKERS_TEST name servers to use instead.
 */
export async function startServerBroker(): Promise<ServerBroker> {
  const given = {
    postgres: process.env.DATABASE_URL_TEST,
    redis: process.env.REDIS_URL_TEST,
    kafka: process.env.KAFKA_BROKERS_TEST,
  }
  const running = new Map<string, Promise<RunningServer>>()
  const grants = new Map<string, number>()
  let backend: Promise<Backend> | undefined
  let preparing: Promise<void> | undefined
  const prepareStarts = () => {
    preparing ??= prepareKafka()
    return preparing
  }
  const start = async (kind: ServerKind): Promise<RunningServer> => {
    const url = given[kind]
    if (url) return { url, backend: 'given by the environment', stop: async () => {} }
    if (kind === 'kafka') await prepareStarts()
    backend ??= chooseBackend()
    const server = await (await backend)[kind]()
    process.stderr.write(`tests use ${NAMES[kind]}: ${server.backend}\n`)
    return server
  }
  const http = createServer((req, res) => {
    // A worker that asks again seconds later must not meet a connection that is just being closed for idleness.
    res.setHeader('connection', 'close')
    const kind = req.url?.slice(1) as ServerKind
    if (req.url === `/${KAFKA_STARTS}`) {
      prepareStarts().then(
        () => res.end(),
        (error: Error) => res.writeHead(500).end(error.message),
      )
      return
    }
    if (!(kind in NAMES)) return void res.writeHead(404).end(`there is no server ${kind}`)
    const server = running.get(kind) ?? start(kind)
    running.set(kind, server)
    const grant = (grants.get(kind) ?? 0) + 1
    grants.set(kind, grant)
    server.then(
      ({ url, backend }) => res.end(JSON.stringify({ url, backend, grant } satisfies GrantedServer)),
      (error: Error) => res.writeHead(500).end(error.message),
    )
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  http.unref()
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    stop: async () => {
      http.closeAllConnections()
      http.close()
      for (const server of await Promise.allSettled(running.values())) {
        if (server.status === 'fulfilled') await server.value.stop()
      }
    },
  }
}

/** Asks the broker of this run for a server. */
export async function askForServer(kind: ServerKind): Promise<GrantedServer> {
  return JSON.parse(await ask(kind)) as GrantedServer
}

/** Resolves when a test may start a Kafka broker of its own. */
export async function untilKafkaStarts(): Promise<void> {
  await ask(KAFKA_STARTS)
}

async function ask(what: string): Promise<string> {
  const broker = process.env[BROKER_VARIABLE]
  if (!broker)
    throw new Error(
      `${BROKER_VARIABLE} is not set: run the tests by npm test, or by jest with the configuration in the root`,
    )
  const response = await fetch(`${broker}/${what}`)
  const body = await response.text()
  if (!response.ok) throw new Error(`starting ${what} for the tests: ${body}`)
  return body
}
