import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { createTestAuthority, findTestKafka, freePort, startTestKafka, waitFor } from '@millrace/testing'
import { checkKafka, requireUsableKafka } from '../src/drivers/kafka/check-kafka.js'
import { type KafkaConnectionSettings, toKafkaConnection } from '../src/drivers/kafka/connection.js'
import { createKafkajsClient } from '../src/drivers/kafka/kafkajs/client.js'

type KafkaServer = Awaited<ReturnType<typeof startTestKafka>>

const program = findTestKafka('logins and TLS of the Kafka driver')
const describeWithKafka = typeof program === 'string' ? describe.skip : describe
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const
/** With the characters that some encodings change. */
const PASSWORD = 'c4nary:pa\\ss "word'
const TEST_MS = 240_000

const dir = mkdtempSync(join(tmpdir(), 'millrace-kafka-security-'))
const authority = createTestAuthority(dir, 'authority')
const stranger = createTestAuthority(dir, 'stranger')
const broker = authority.issue('broker', 'IP:127.0.0.1')
const servers: KafkaServer[] = []
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function stopServers(): Promise<void> {
  await Promise.all(servers.splice(0).map((server) => server.stop()))
}

async function start(security: NonNullable<Parameters<typeof startTestKafka>[0]>['security']): Promise<KafkaServer> {
  const server = await startTestKafka({ security })
  servers.push(server)
  return server
}

const login = (mechanism: (typeof MECHANISMS)[number], password = PASSWORD) => ({
  KAFKA_SASL_MECHANISM: mechanism,
  KAFKA_SASL_USERNAME: 'ada',
  KAFKA_SASL_PASSWORD: { reveal: () => password },
})
const TLS = { KAFKA_SSL_ENABLED: true, KAFKA_SSL_CA: authority.certificateFile }

async function problemOf(settings: KafkaConnectionSettings): Promise<string> {
  const state = await checkKafka(settings)
  return state.kind === 'ok' ? 'ok' : state.problem
}

/** Creates a topic, stores a message and reads its offset. */
async function storeOne(settings: KafkaConnectionSettings, topic: string): Promise<void> {
  const client = createKafkajsClient(toKafkaConnection(settings))
  try {
    await client.createTopic(topic, { partitions: 1, replicationFactor: -1, configs: {} })
    await waitFor(async () => (await client.describeTopic(topic))?.partitions[0]?.leader !== undefined)
    const message = { partition: 0, value: Buffer.from('x'), timestampMs: Date.now() }
    await waitFor(async () => (await client.produce(topic, [message], { timeoutMs: 2000 }))[0]?.kind === 'stored')
  } finally {
    await client.close()
  }
}

describeWithKafka('a Kafka broker that wants a login', () => {
  afterAll(stopServers)
  let withTls: KafkaServer
  let plain: KafkaServer
  beforeAll(async () => {
    const users = { ada: PASSWORD }
    ;[withTls, plain] = await Promise.all([start({ users, tls: broker }), start({ users })])
  }, TEST_MS)

  it.each(MECHANISMS)(
    'stores messages of a client that logs in by %s, with and without TLS',
    async (mechanism) => {
      for (const [server, tls] of [
        [plain, {}],
        [withTls, TLS],
      ] as const) {
        const settings = { KAFKA_BROKERS: [server.brokers], ...tls, ...login(mechanism) }
        expect(await problemOf(settings)).toBe('ok')
        await storeOne(settings, mechanism)
      }
    },
    TEST_MS,
  )

  it.each(MECHANISMS)(
    'refuses a wrong password by %s in one sentence without the password',
    async (mechanism) => {
      for (const [server, tls] of [
        [plain, {}],
        [withTls, TLS],
      ] as const)
        expect(await problemOf({ KAFKA_BROKERS: [server.brokers], ...tls, ...login(mechanism, 'c4nary-wrong') })).toBe(
          `the Kafka broker ${server.brokers} refuses the user ada or the password: correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD`,
        )
    },
    TEST_MS,
  )

  it(
    'a password is in no log line, output or error, whatever fails',
    async () => {
      const lines: string[] = []
      const logger = createLogger({
        service: 'test',
        level: 'debug',
        write: (line) => void lines.push(line),
      })
      const write = process.stdout.write.bind(process.stdout)
      const writeError = process.stderr.write.bind(process.stderr)
      process.stdout.write = ((text: string) => lines.push(String(text)) > 0) as typeof process.stdout.write
      process.stderr.write = ((text: string) => lines.push(String(text)) > 0) as typeof process.stderr.write
      try {
        for (const mechanism of MECHANISMS) {
          const settings = { KAFKA_BROKERS: [plain.brokers], ...login(mechanism, 'c4nary-wrong') }
          const error = await requireUsableKafka(settings, logger).catch((cause: Error) => cause)
          lines.push(inspectDeeply(error))
          const client = createKafkajsClient(toKafkaConnection(settings))
          lines.push(inspectDeeply(await client.describeCluster().catch((cause: Error) => cause)))
          const message = { partition: 0, value: Buffer.from('x'), timestampMs: Date.now() }
          lines.push(inspectDeeply(await client.produce('plain', [message], { timeoutMs: 2000 })))
          await client.close()
        }
      } finally {
        process.stdout.write = write
        process.stderr.write = writeError
      }
      expect(lines.join('\n')).toContain('refuses the user ada')
      expect(lines.filter((line) => line.includes('c4nary'))).toEqual([])
    },
    TEST_MS,
  )

  it.each([
    [
      'no login is configured',
      () => ({ KAFKA_BROKERS: [plain.brokers] }),
      /wants a login: set KAFKA_SASL_MECHANISM \(it offers (?=.*plain)(?=.*scram-sha-256).*\), KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD$/,
    ],
    [
      'no login is configured for a broker with TLS',
      () => ({ KAFKA_BROKERS: [withTls.brokers], ...TLS }),
      /wants a login/,
    ],
    [
      'a login is configured for a port without one',
      () => ({ KAFKA_BROKERS: [`127.0.0.1:${plain.internalPort}`], ...login('plain') }),
      /takes no login: correct the port in KAFKA_BROKERS/,
    ],
    [
      'a client without TLS uses a port with TLS',
      () => ({ KAFKA_BROKERS: [withTls.brokers], ...login('plain') }),
      /set KAFKA_SSL_ENABLED to true/,
    ],
    [
      'a client with TLS uses a port without it',
      () => ({ KAFKA_BROKERS: [plain.brokers], ...TLS, ...login('plain') }),
      /TLS with it fails .*set KAFKA_SSL_ENABLED to false for brokers without TLS$/,
    ],
    [
      'the authority of the broker is not the configured one',
      () => ({ KAFKA_BROKERS: [withTls.brokers], ...TLS, KAFKA_SSL_CA: stranger.certificateFile, ...login('plain') }),
      /signed by an authority that is not trusted: set KAFKA_SSL_CA to a file/,
    ],
    [
      'no authority is configured',
      () => ({ KAFKA_BROKERS: [withTls.brokers], KAFKA_SSL_ENABLED: true, ...login('plain') }),
      /signed by an authority that is not trusted: set KAFKA_SSL_CA to a file/,
    ],
    [
      'the broker is reached by a name that is not in its certificate',
      () => ({ KAFKA_BROKERS: [`localhost:${withTls.port}`], ...TLS, ...login('plain') }),
      /whose certificate is for another name \(Host: localhost.*\): correct the host in KAFKA_BROKERS, or set KAFKA_SSL_SERVER_NAME/,
    ],
  ] as const)(
    'the problem is named in one sentence with the remedy when %s',
    async (_, settings, sentence) => {
      expect(await problemOf(settings())).toMatch(sentence)
    },
    TEST_MS,
  )

  it(
    'the problem is named when the certificate of the broker has expired',
    async () => {
      const expired = authority.issue('expired', 'IP:127.0.0.1', { days: -1 })
      await withTls.kill()
      writeFileSync(join(withTls.dir, 'broker.pem'), `${expired.key}\n${expired.certificate}\n`)
      await withTls.restart()
      expect(await problemOf({ KAFKA_BROKERS: [withTls.brokers], ...TLS, ...login('plain') })).toMatch(
        /whose certificate, or that of its authority, has expired: renew it/,
      )
    },
    TEST_MS,
  )
})

describeWithKafka('a Kafka broker that wants a client certificate for the name broker.example', () => {
  const client = authority.issue('client', 'DNS:client')
  const untrusted = stranger.issue('untrusted', 'DNS:client')
  const [certFile, keyFile] = [join(dir, 'current.pem'), join(dir, 'current.key')]
  const use = (certificate: typeof client) => {
    copyFileSync(certificate.certificateFile, certFile)
    copyFileSync(certificate.keyFile, keyFile)
  }
  afterAll(stopServers)
  let server: KafkaServer
  let settings: KafkaConnectionSettings
  beforeAll(async () => {
    const named = authority.issue('named', 'DNS:broker.example')
    server = await start({ tls: { ...named, clientCa: authority.certificate } })
    settings = { KAFKA_BROKERS: [server.brokers], ...TLS, KAFKA_SSL_SERVER_NAME: 'broker.example' }
  }, TEST_MS)

  it(
    'stores messages of a client whose certificate its authority has signed',
    async () => {
      use(client)
      const own = { ...settings, KAFKA_SSL_CERT: certFile, KAFKA_SSL_KEY: keyFile }
      expect(await problemOf(own)).toBe('ok')
      await storeOne(own, 'mutual')
      expect(await problemOf({ ...own, KAFKA_SSL_SERVER_NAME: undefined })).toMatch(
        /is for another name \(IP: 127\.0\.0\.1 is not in/,
      )
    },
    TEST_MS,
  )

  it(
    'the problem is named when the client has no certificate, one of another authority, or an expired one',
    async () => {
      expect(await problemOf(settings)).toMatch(/wants? a client certificate/)
      use(untrusted)
      const own = { ...settings, KAFKA_SSL_CERT: certFile, KAFKA_SSL_KEY: keyFile }
      expect(await problemOf(own)).toMatch(/refuses the certificate KAFKA_SSL_CERT|wants a client certificate/)
      use(authority.issue('old', 'DNS:client', { days: -1 }))
      expect(await problemOf(own)).toMatch(/KAFKA_SSL_CERT/)
    },
    TEST_MS,
  )

  it(
    'an open client uses a certificate that was replaced on disk for its next connection',
    async () => {
      use(untrusted)
      const opened = createKafkajsClient(
        toKafkaConnection({ ...settings, KAFKA_SSL_CERT: certFile, KAFKA_SSL_KEY: keyFile }),
      )
      try {
        await expect(opened.describeCluster()).rejects.toThrow()
        use(client)
        await waitFor(async () => (await opened.describeCluster().catch(() => undefined)) !== undefined)
      } finally {
        await opened.close()
      }
    },
    TEST_MS,
  )
})

describeWithKafka('the check of Kafka brokers', () => {
  afterAll(stopServers)
  let server: KafkaServer
  beforeAll(async () => {
    server = await start(undefined)
  }, TEST_MS)

  it(
    'one broker that can be used suffices, and one where nothing listens is named when it is the only one',
    async () => {
      const dead = `127.0.0.1:${await freePort()}`
      expect(await checkKafka({ KAFKA_BROKERS: [dead, server.brokers] })).toEqual({ kind: 'ok' })
      expect(await checkKafka({ KAFKA_BROKERS: [dead] })).toEqual({
        kind: 'unreachable',
        problem: `KAFKA_BROKERS names ${dead}, where nothing listens: start Kafka, or correct the host and the port`,
      })
      expect(await checkKafka({ KAFKA_BROKERS: ['no-such-host.invalid:9092'] })).toMatchObject({
        kind: 'unreachable',
        problem: expect.stringMatching(/there is no host of this name: correct the host$/),
      })
    },
    TEST_MS,
  )

  it(
    'names a program other than Kafka, one that closes connections, and one that does not answer',
    async () => {
      const listeners: Server[] = []
      const listen = async (answer: ((request: Buffer) => string) | 'close' | 'silence') => {
        const listener = createServer((socket) => {
          socket.on('error', () => undefined)
          socket.on('data', (request) => {
            if (answer === 'close') socket.destroy()
            else if (answer !== 'silence') socket.end(answer(request))
          })
        })
        listeners.push(listener)
        const port = await freePort()
        await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
        return { KAFKA_BROKERS: [`127.0.0.1:${port}`] }
      }
      expect(await problemOf(await listen(() => 'HTTP/1.1 400 Bad Request\r\n\r\n'))).toMatch(
        /a program other than Kafka answers/,
      )
      expect(await problemOf(await listen('close'))).toMatch(
        /closes connections without TLS: set KAFKA_SSL_ENABLED to true/,
      )
      expect(await problemOf(await listen('silence'))).toMatch(/gives no answer within 3 s/)
      for (const listener of listeners) listener.close()
    },
    TEST_MS,
  )

  it(
    'names a broker that hangs',
    async () => {
      await server.pause()
      const hung = await problemOf({ KAFKA_BROKERS: [server.brokers] })
      await server.resume()
      expect(hung).toMatch(/gives no answer within 3 s/)
    },
    TEST_MS,
  )

  it(
    'names advertised addresses that cannot be reached, although the first broker answers',
    async () => {
      const wrong = await startTestKafka({
        settings: { 'advertised.listeners': `CLIENT://127.0.0.1:${await freePort()}` },
      })
      servers.push(wrong)
      expect(await problemOf({ KAFKA_BROKERS: [wrong.brokers] })).toMatch(
        /answers, but it says that its cluster is to be reached at 127\.0\.0\.1:\d+, and that fails: correct advertised\.listeners/,
      )
    },
    TEST_MS,
  )
})

function inspectDeeply(value: unknown): string {
  const errors: string[] = []
  for (let error = value; isError(error); error = error.cause) errors.push(`${error.stack} ${JSON.stringify(error)}`)
  return `${errors.join('\n')} ${JSON.stringify(value)}`
}

/** Errors of Node's own modules are of another class than those of a test. */
function isError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'stack' in value
}
