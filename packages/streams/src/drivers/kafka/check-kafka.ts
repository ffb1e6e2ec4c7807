import { isMillraceError } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import { streamErrors } from '../../errors.js'
import { type KafkaConnection, type KafkaConnectionSettings, toKafkaConnection } from './connection.js'
import type { ClusterDescription } from './kafka-client.js'
import { createKafkajsClient } from './kafkajs/client.js'
import { type BrokerAnswer, ProbeError, probeBroker } from './probe-broker.js'

/**
 * What was found at KAFKA_BROKERS. `unreachable` may end without a change, for example when the brokers are still starting; `wrong` lasts until a person
 * changes something. `problem` is a sentence with the remedy, without a password.
 */
export type KafkaState = { readonly kind: 'ok' } | KafkaProblem

interface KafkaProblem {
  readonly kind: 'unreachable' | 'wrong'
  readonly problem: string
}

/** Longest time for one step, in ms. The first TLS handshake of a broker that has just started takes about a second. */
const TIMEOUT_MS = 3000

const ILLEGAL_SASL_STATE = 34

/**
 * Connects to each of KAFKA_BROKERS, logs in and asks for the brokers of the cluster; ends within 10 s. One broker that can be used suffices, unless
 * another one needs a person.
 */
export async function checkKafka(settings: KafkaConnectionSettings): Promise<KafkaState> {
  let connection: KafkaConnection
  try {
    connection = toKafkaConnection(settings)
  } catch (error) {
    return wrong((error as Error).message)
  }
  const states = await Promise.all(connection.brokers.map((broker) => checkBroker(broker, connection)))
  const problem = states.find(({ kind }) => kind === 'wrong')
  if (problem !== undefined) return problem
  const usable = connection.brokers.filter((_, index) => states[index]?.kind === 'ok')
  if (usable.length === 0)
    return states[0] ?? wrong('KAFKA_BROKERS is not set: set it to host:port of brokers of the cluster')
  return await checkCluster({ ...connection, brokers: usable })
}

/**
 * For the start of a service. Brokers that cannot be reached are no error, since they may still be starting: one log line says so.
 * @throws STREAM_CONFIG with the remedy when a person has to act: a wrong password, an unknown certificate, another program
 */
export async function requireUsableKafka(settings: KafkaConnectionSettings, logger: Logger): Promise<void> {
  const state = await checkKafka(settings)
  if (state.kind === 'wrong') throw streamErrors.STREAM_CONFIG({ message: state.problem })
  if (state.kind === 'unreachable')
    logger.warn('kafka cannot be reached; it is tried again until it can', { reason: state.problem })
}

async function checkBroker(broker: string, connection: KafkaConnection): Promise<KafkaState> {
  const colon = broker.lastIndexOf(':')
  const host = broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
  try {
    const answer = await probeBroker({ host, port: Number(broker.slice(colon + 1)) }, connection, TIMEOUT_MS)
    return judgeLogin(answer, broker, connection)
  } catch (error) {
    return explain(error as NodeJS.ErrnoException, broker, connection)
  }
}

function judgeLogin({ errorCode, mechanisms }: BrokerAnswer, broker: string, { sasl }: KafkaConnection): KafkaState {
  const offered = mechanisms.map((mechanism) => mechanism.toLowerCase()).join(', ')
  if (sasl === undefined) {
    if (errorCode === ILLEGAL_SASL_STATE) return { kind: 'ok' }
    return wrong(
      `the Kafka broker ${broker} wants a login: set KAFKA_SASL_MECHANISM (it offers ${offered}), KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD`,
    )
  }
  if (errorCode === 0) return { kind: 'ok' }
  if (errorCode === ILLEGAL_SASL_STATE)
    return wrong(
      `the Kafka broker ${broker} takes no login: correct the port in KAFKA_BROKERS, or leave KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD unset`,
    )
  return wrong(
    `the Kafka broker ${broker} does not offer the login ${sasl.mechanism}: set KAFKA_SASL_MECHANISM to one of ${offered}`,
  )
}

/** Logs in, and looks at the addresses by which the brokers want to be reached. */
async function checkCluster(connection: KafkaConnection): Promise<KafkaState> {
  const client = createKafkajsClient(connection)
  const first = connection.brokers[0] as string
  try {
    const { brokers } = await client.describeCluster()
    return await checkAdvertised(brokers, connection)
  } catch (error) {
    const { name, message } = error as Error
    if (name === 'KafkaJSSASLAuthenticationError' || /authentication failed/i.test(message))
      return wrong(
        `the Kafka broker ${first} refuses the user ${connection.sasl?.username} or the password: correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD`,
      )
    return explain(error as NodeJS.ErrnoException, first, connection)
  } finally {
    await client.close()
  }
}

/** Brokers may advertise addresses that cannot be reached from here: then the first request is answered and every later one fails. */
async function checkAdvertised(
  brokers: ClusterDescription['brokers'],
  connection: KafkaConnection,
): Promise<KafkaState> {
  const names = brokers.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`))
  const others = names.filter((name) => !connection.brokers.includes(name))
  if (names.length === 0 || others.length < names.length) return { kind: 'ok' }
  const states = await Promise.all(others.map((name) => checkBroker(name, connection)))
  const found = states.find(({ kind }) => kind !== 'ok') as KafkaProblem | undefined
  if (found === undefined || states.some(({ kind }) => kind === 'ok')) return { kind: 'ok' }
  return {
    kind: found.kind,
    problem: `the Kafka broker ${connection.brokers[0]} answers, but it says that its cluster is to be reached at ${names.join(', ')}, and that fails: correct advertised.listeners of the brokers (${found.problem})`,
  }
}

function explain(error: NodeJS.ErrnoException, broker: string, { tls }: KafkaConnection): KafkaProblem {
  const { code = '', message } = error
  const names = `KAFKA_BROKERS names ${broker}`
  if (isMillraceError(error)) return wrong(message)
  if (error instanceof ProbeError) return explainProbe(error, names, tls !== undefined)
  if (code === 'ECONNREFUSED')
    return unreachable(`${names}, where nothing listens: start Kafka, or correct the host and the port`)
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return unreachable(`${names}, and there is no host of this name: correct the host`)
  const certificate = tls && explainCertificate(code, message)
  if (certificate !== undefined) return wrong(`${names}, ${certificate}`)
  if (tls !== undefined && (/^(ERR_SSL|ERR_TLS|EPROTO)/.test(code) || /before secure TLS/.test(message)))
    return wrong(
      `${names}, and TLS with it fails (${message.trim()}): correct the port, or set KAFKA_SSL_ENABLED to false for brokers without TLS`,
    )
  return unreachable(`${names}, which cannot be reached: ${message.trim()}`)
}

function explainProbe({ reason }: ProbeError, names: string, isTls: boolean): KafkaProblem {
  switch (reason) {
    case 'timeout':
      return unreachable(
        `${names}, which gives no answer within ${TIMEOUT_MS / 1000} s: check the broker and the network`,
      )
    case 'tls_expected':
      return wrong(`${names}, which wants TLS: set KAFKA_SSL_ENABLED to true, or correct the port`)
    case 'other_program':
      return wrong(`${names}, where a program other than Kafka answers: correct the host and the port`)
    case 'closed':
      return isTls
        ? wrong(
            `${names}, which closes connections: it may want a client certificate (KAFKA_SSL_CERT, KAFKA_SSL_KEY), or be another program than Kafka`,
          )
        : wrong(
            `${names}, which closes connections without TLS: set KAFKA_SSL_ENABLED to true for brokers with TLS, or correct the host and the port`,
          )
  }
}

/** What is wrong with a certificate, and the remedy. Undefined when the error has another cause. */
function explainCertificate(code: string, message: string): string | undefined {
  switch (code) {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
      return 'whose certificate is signed by an authority that is not trusted: set KAFKA_SSL_CA to a file with the certificate of that authority'
    case 'CERT_HAS_EXPIRED':
      return 'whose certificate, or that of its authority, has expired: renew it, or correct the clock of this machine'
    case 'CERT_NOT_YET_VALID':
      return 'whose certificate is not valid yet: correct the clock of this machine or that of the authority'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `whose certificate is for another name (${message.replace(/^.*?altnames?: /i, '')}): correct the host in KAFKA_BROKERS, or set KAFKA_SSL_SERVER_NAME to the name in the certificate`
  }
  if (/alert (certificate expired|number 45)/i.test(message))
    return 'which says that the certificate KAFKA_SSL_CERT has expired: renew it'
  if (/certificate required|bad certificate/i.test(message))
    return 'which wants a client certificate: set KAFKA_SSL_CERT and KAFKA_SSL_KEY to one that its authority has signed'
  if (/unknown ca|certificate unknown|unsupported certificate|certificate revoked/i.test(message))
    return `which refuses the certificate KAFKA_SSL_CERT (${message.trim()}): use one that its authority has signed`
  return undefined
}

function wrong(problem: string): KafkaProblem {
  return { kind: 'wrong', problem }
}

function unreachable(problem: string): KafkaProblem {
  return { kind: 'unreachable', problem }
}
